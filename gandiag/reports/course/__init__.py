"""The course: lessons with a training run each, and the site that shows them."""
