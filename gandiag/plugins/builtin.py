"""The table of built-in plugins, and which of them are used by default.

The table maps a name to ``module:Class``, so that a plugin is imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "datasets": {
        "mnist": "gandiag.datasets.mnist:Mnist",
        "ring": "gandiag.datasets.ring:Ring",
        "grid": "gandiag.datasets.grid:Grid",
        "gaussian": "gandiag.datasets.gaussian:Gaussian",
        "sine": "gandiag.datasets.sine:Sine",
        "npz": "gandiag.datasets.npz:Npz",
        "image_folder": "gandiag.datasets.image_folder:ImageFolder",
    },
    "variants": {
        "vanilla": "gandiag.models.variants.vanilla:Vanilla",
        "minibatch_discrimination": (
            "gandiag.models.variants.minibatch_discrimination:MinibatchDiscrimination"
        ),
        "linear_critic": "gandiag.models.variants.linear_critic:LinearCritic",
        "dcgan": "gandiag.models.variants.dcgan:DCGAN",
        "conditional": "gandiag.models.variants.conditional:Conditional",
        "dirac": "gandiag.models.variants.dirac:Dirac",
    },
    "probes": {
        "loss": "gandiag.monitoring.probes.loss:Loss",
        "gradient": "gandiag.monitoring.probes.gradient:Gradient",
        "confidence": "gandiag.monitoring.probes.confidence:Confidence",
        "confidence_after": "gandiag.monitoring.probes.confidence_after:ConfidenceAfter",
        "learning_signal": "gandiag.monitoring.probes.learning_signal:LearningSignal",
        "diversity": "gandiag.monitoring.probes.diversity:Diversity",
        "classes": "gandiag.monitoring.probes.classes:Classes",
        "displacement": "gandiag.monitoring.probes.displacement:Displacement",
        "plane": "gandiag.monitoring.probes.plane:Plane",
        "units": "gandiag.monitoring.probes.units:Units",
        "update": "gandiag.monitoring.probes.update:Update",
        "objective": "gandiag.monitoring.probes.objective:Objective",
        "loop": "gandiag.monitoring.probes.loop:Loop",
        "inputs": "gandiag.monitoring.probes.inputs:Inputs",
        "sampling": "gandiag.monitoring.probes.sampling:Sampling",
    },
    "detectors": {
        "vanishing_gradients": "gandiag.diagnosis.detectors.vanishing_gradients:VanishingGradients",
        "mode_collapse": "gandiag.diagnosis.detectors.mode_collapse:ModeCollapse",
        "non_convergence": "gandiag.diagnosis.detectors.non_convergence:NonConvergence",
        "discriminator_saturation": (
            "gandiag.diagnosis.detectors.discriminator_saturation:DiscriminatorSaturation"
        ),
        "contradictory_losses": (
            "gandiag.diagnosis.detectors.contradictory_losses:ContradictoryLosses"
        ),
        "fooled_discriminator": (
            "gandiag.diagnosis.detectors.fooled_discriminator:FooledDiscriminator"
        ),
        "double_sigmoid_loss": (
            "gandiag.diagnosis.detectors.double_sigmoid_loss:DoubleSigmoidLoss"
        ),
        "quality_regression": "gandiag.diagnosis.detectors.quality_regression:QualityRegression",
        "generator_ascends": "gandiag.diagnosis.lints.generator_ascends:GeneratorAscends",
        "double_sigmoid": "gandiag.diagnosis.lints.double_sigmoid:DoubleSigmoid",
        "misread_scores": "gandiag.diagnosis.lints.misread_scores:MisreadScores",
        "unbounded_critic": "gandiag.diagnosis.lints.unbounded_critic:UnboundedCritic",
        "misplaced_clipping": "gandiag.diagnosis.lints.misplaced_clipping:MisplacedClipping",
        "saturated_clipping": "gandiag.diagnosis.lints.saturated_clipping:SaturatedClipping",
        "mixed_batch_norm": "gandiag.diagnosis.lints.mixed_batch_norm:MixedBatchNorm",
        "leftover_gradients": "gandiag.diagnosis.lints.leftover_gradients:LeftoverGradients",
        "idle_network": "gandiag.diagnosis.lints.idle_network:IdleNetwork",
        "evaluation_mode": "gandiag.diagnosis.lints.evaluation_mode:EvaluationMode",
        "unscaled_data": "gandiag.diagnosis.lints.unscaled_data:UnscaledData",
        "unoptimised_parameters": (
            "gandiag.diagnosis.lints.unoptimised_parameters:UnoptimisedParameters"
        ),
        "detached_samples": "gandiag.diagnosis.lints.detached_samples:DetachedSamples",
        "ungraphed_penalty": "gandiag.diagnosis.lints.ungraphed_penalty:UngraphedPenalty",
        "constant_condition": "gandiag.diagnosis.lints.constant_condition:ConstantCondition",
        "ordered_batches": "gandiag.diagnosis.lints.ordered_batches:OrderedBatches",
        "repeated_latents": "gandiag.diagnosis.lints.repeated_latents:RepeatedLatents",
        "unlike_sampling": "gandiag.diagnosis.lints.unlike_sampling:UnlikeSampling",
    },
    "readers": {
        # A notebook is a JSON document, too, so this reader comes before that of JSON.
        "notebook": "gandiag.records.readers.notebook:Notebook",
        "csv": "gandiag.records.readers.csv:Csv",
        "json_lines": "gandiag.records.readers.json_lines:JsonLines",
        "weights_and_biases": "gandiag.records.readers.weights_and_biases:WeightsAndBiases",
        "tensorboard": "gandiag.records.readers.tensorboard:TensorBoard",
        "mlflow": "gandiag.records.readers.mlflow:Mlflow",
        "trackio": "gandiag.records.readers.trackio:Trackio",
        # Any text is recognised as console text, so this reader is the last one.
        "console": "gandiag.records.readers.console:Console",
    },
    "fixes": {
        "non_saturating": "gandiag.fixes.non_saturating:NonSaturating",
        "leaky_units": "gandiag.fixes.leaky_units:LeakyUnits",
        "fewer_discriminator_steps": (
            "gandiag.fixes.fewer_discriminator_steps:FewerDiscriminatorSteps"
        ),
        "more_discriminator_steps": (
            "gandiag.fixes.more_discriminator_steps:MoreDiscriminatorSteps"
        ),
        "two_time_scales": "gandiag.fixes.two_time_scales:TwoTimeScales",
        "r1": "gandiag.fixes.r1:R1",
        "spectral_norm": "gandiag.fixes.spectral_norm:SpectralNorm",
        "gradient_penalty": "gandiag.fixes.gradient_penalty:GradientPenalty",
        "minibatch_discrimination": (
            "gandiag.fixes.minibatch_discrimination:MinibatchDiscrimination"
        ),
        "minibatch_stddev": "gandiag.fixes.minibatch_stddev:MinibatchStddev",
        "packing": "gandiag.fixes.packing:Packing",
        "linear_critic": "gandiag.fixes.linear_critic:LinearCritic",
        "hinge": "gandiag.fixes.hinge:Hinge",
        "least_squares": "gandiag.fixes.least_squares:LeastSquares",
        "instance_noise": "gandiag.fixes.instance_noise:InstanceNoise",
        "label_smoothing": "gandiag.fixes.label_smoothing:LabelSmoothing",
        "lower_learning_rate": "gandiag.fixes.lower_learning_rate:LowerLearningRate",
        "lower_momentum": "gandiag.fixes.lower_momentum:LowerMomentum",
        "learning_rate_decay": "gandiag.fixes.learning_rate_decay:LearningRateDecay",
        "averaged_generator": "gandiag.fixes.averaged_generator:AveragedGenerator",
    },
    "instruments": {
        "optimal_discriminator": (
            "gandiag.examination.instruments.optimal_discriminator:OptimalDiscriminator"
        ),
        "jacobian": "gandiag.examination.instruments.jacobian:Jacobian",
        "update_map": "gandiag.examination.instruments.update_map:UpdateMap",
        "path_angle": "gandiag.examination.instruments.path_angle:PathAngle",
        "duality_gap": "gandiag.examination.instruments.duality_gap:DualityGap",
    },
    "reporters": {
        "console": "gandiag.reports.reporters.console:Console",
        "html": "gandiag.reports.reporters.html:Html",
        "json": "gandiag.reports.reporters.json:Json",
        "film": "gandiag.reports.reporters.film:Film",
        "weights_and_biases": "gandiag.reports.reporters.weights_and_biases:WeightsAndBiases",
        "weights_and_biases_report": (
            "gandiag.reports.reporters.weights_and_biases_report:WeightsAndBiasesReport"
        ),
        "tensorboard": "gandiag.reports.reporters.tensorboard:TensorBoard",
        "notebook": "gandiag.reports.reporters.notebook:Notebook",
    },
}

#: Generator steps between two measurements of each default probe. A probe that is missing here is
#: used only if a scenario or the caller of `gandiag.attach` selects it. In an attached loop the
#: probes measure less often, because every measurement delays the user's training.
PROBE_CADENCES: Mapping[str, Mapping[str, int]] = {
    "run": {
        "loss": 10,
        "gradient": 10,
        "confidence": 10,
        "confidence_after": 50,
        "learning_signal": 10,
        "diversity": 50,
        "displacement": 50,
        "plane": 100,
        "units": 100,
        "update": 50,
    },
    "attach": {
        "loss": 50,
        "gradient": 50,
        "confidence": 50,
        "confidence_after": 100,
        "learning_signal": 50,
        "diversity": 50,
        "displacement": 50,
        "plane": 100,
        "units": 200,
        "update": 50,
        "objective": 100,
        "loop": 100,
        "inputs": 100,
        "sampling": 250,
    },
}

#: Detectors of training failures, used by default for every record.
DETECTORS = ("vanishing_gradients", "mode_collapse", "non_convergence")

#: Detectors of bugs in a training loop, used by default for attached loops, in the order in which
#: reports list them.
LINTS = (
    "generator_ascends",
    "double_sigmoid",
    "misread_scores",
    "unbounded_critic",
    "misplaced_clipping",
    "saturated_clipping",
    "mixed_batch_norm",
    "leftover_gradients",
    "idle_network",
    "evaluation_mode",
    "unscaled_data",
    "unoptimised_parameters",
    "detached_samples",
    "ungraphed_penalty",
    "constant_condition",
    "ordered_batches",
    "repeated_latents",
    "unlike_sampling",
)

#: Detectors for logs of losses alone, used by default beside `DETECTORS`.
LOG_DETECTORS = (
    "discriminator_saturation",
    "contradictory_losses",
    "fooled_discriminator",
    "double_sigmoid_loss",
    "quality_regression",
)

#: Earlier names of plugins, which older scenarios and saved runs contain, and their current names.
RENAMED_PLUGINS: Mapping[str, Mapping[str, str]] = {
    "probes": {"slope": "learning_signal", "motion": "displacement"},
    "detectors": {"idle_player": "idle_network"},
}
