"""Networks, losses and penalties of GANs; one GAN variant a file in ``variants``."""
