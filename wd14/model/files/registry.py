"""The models that are known by name, as frozen data.

Sources: the authors' model cards (thresholds, licences) and public manifests (revisions, sha256, sizes). Each pin was
read in at least two independent places, unless a comment says otherwise.
"""

from __future__ import annotations

from types import MappingProxyType

from wd14.config import BUILTIN_MODEL, DEFAULT_MODEL, NO_MODEL
from wd14.input_spec import InputSpec
from wd14.model.files.description import FileDescription, LabelsDescription, ModelDescription

__all__ = [
    "DEFAULT",
    "MODELS",
    "MODEL_FILE",
    "FileDescription",
    "LabelsDescription",
    "ModelDescription",
    "find",
    "find_by_sha256",
]

MODEL_FILE = "model.onnx"

_CSV = "selected_tags.csv"
_V1_TAGS = LabelsDescription(_CSV, "898dbc30bec9a5173b5531fc9b3d6058ea79182832ec4a102facc33cae7669cd")
_V2_TAGS = LabelsDescription(_CSV, "8c8750600db36233a1b274ac88bd46289e588b338218c2e4c62bbc9f2b516368")
_V3_TAGS = LabelsDescription(_CSV, "298633d94d0031d2081c0893f29c82eab7f0df00b08483ba8f29d1e979441217")

#: SmilingWolf's taggers: name; labels; threshold at which precision equals recall; bytes, revision and sha256 of
#: model.onnx. The pins of both v1 models and of wd-v1-4-swinv2-tagger-v2 were read in one source.
# fmt: off
_SMILINGWOLF: tuple[tuple[str, LabelsDescription, float | None, int | None, str, str], ...] = (
    ("wd-v1-4-convnext-tagger-v2", _V2_TAGS, 0.3685, 387_820_405,
     "4b34d1b07bdd8e95494072648960b8a6adcbc0ff", "71f06ecb7b9df81d8f271da4d43997ea2ed363cdac29aa64fcb256c9631e656a"),
    ("wd-v1-4-vit-tagger-v2", _V2_TAGS, 0.3537, None,
     "1f3f3e8ae769634e31e1ef696df11ec37493e4f2", "8a21cadd1f88a095094cafbffe3028c3cc3d97f4d58c54344c5994bcf48e24ac"),
    ("wd-v1-4-convnextv2-tagger-v2", _V2_TAGS, 0.3710, None,
     "dbd4dbe553ee51feb3bc745b614fb762080e3912", "e91daa19cd9e8725125b7d70702d1560855fb687f8d8c4218eddaa821f41834a"),
    ("wd-v1-4-swinv2-tagger-v2", _V2_TAGS, 0.3771, None,
     "cdb0c7fdc70646f0af29c6f80f8df564344a69b6", "04ec04fdf7db74b4fed7f4b52f52e04dec4dbad9e4d88d2d178f334079a29fde"),
    ("wd-v1-4-moat-tagger-v2", _V2_TAGS, 0.3771, 326_197_340,
     "8452cddf280b952281b6e102411c50e981cb2908", "b8cef913be4c9e8d93f9f903e74271416502ce0b4b04df0ff1e2f00df488aa03"),
    ("wd-vit-tagger-v3", _V3_TAGS, 0.2614, 378_536_310,
     "7f6b584d0bd3f55c4531f14ba3d4761b2bccdc0f", "35f23693620b668f4d53fd3c62bf65e40af739bc52c7eb0fbc49258b58d065b6"),
    ("wd-convnext-tagger-v3", _V3_TAGS, 0.2682, 394_990_732,
     "d39e46de298d27340111b64965e20b8185c407e6", "1b8a7abf13d9b8368267df47501d523789c4aeae66b2296ad98483239dfa32eb"),
    ("wd-swinv2-tagger-v3", _V3_TAGS, 0.2653, 467_460_978,
     "627aef95638667ddcaa3ac8ae625e88ea5b02f51", "e6774bff34d43bd49f75a47db4ef217dce701c9847b546523eb85ff6dbba1db1"),
    ("wd-vit-large-tagger-v3", _V3_TAGS, 0.2606, 1_260_645_673,
     "ae469aa2e4706a3af08d3673cf73a11d1add314c", "e4c8001b000a6c98f2db10794f7c406daa79873d071d6ca924330fa053fa1845"),
    ("wd-eva02-large-tagger-v3", _V3_TAGS, 0.5296, 1_260_435_999,
     "b25b82a03f7282e41aa2f257a52c7583b710bd1c", "9e768793060c7939b277ccb382783e8670e8a042d29d77aa736be0c8cc898bfc"),
    ("wd-v1-4-convnext-tagger", _V1_TAGS, None, None,
     "4036ca51f1c082b0e7c4496890bbf9eadad5764a", "b7d7c9923e0056a2def0f4418df01a1274467b3da8480f146b851289257734de"),
    ("wd-v1-4-vit-tagger", _V1_TAGS, None, None,
     "213a7bd66d93407911b8217e806a95edc3593eed", "22e88a3226e427998fdf669bdbd035ee7040f3229796dd66ec35b8dd90e852b5"),
)
# fmt: on


def _smilingwolf(
    name: str, labels: LabelsDescription, threshold: float | None, size: int | None, revision: str, sha256: str
) -> ModelDescription:
    return ModelDescription(
        id=f"SmilingWolf/{name}",
        repo=f"SmilingWolf/{name}",
        revision=revision,
        model=FileDescription(MODEL_FILE, sha256, size),
        labels=labels,
        tags={_V2_TAGS.sha256: 9083, _V3_TAGS.sha256: 10861}.get(labels.sha256),
        licence=None if labels is _V1_TAGS else "Apache-2.0",
        thresholds=MappingProxyType({} if threshold is None else {"all": threshold}),
    )


#: In the order in which lists show them: the default first, what needs no download last.
MODELS: tuple[ModelDescription, ...] = (
    *(_smilingwolf(*row) for row in _SMILINGWOLF),
    ModelDescription(
        id="cella110n/cl_tagger/cl_tagger_1_02",
        repo="cella110n/cl_tagger",
        revision="0b6e9b4e145b1423bfd1715119074a24a301b471",
        model=FileDescription(
            "cl_tagger_1_02/model.onnx",
            "1459e946ffc083159015e0eb26239016349ddd36c3daecfeb70bfa4ccf38b944",
            1_425_860_192,
        ),
        labels=LabelsDescription(
            "cl_tagger_1_02/tag_mapping.json", "9611988482f1bf9a174622c0067d0baa88fda69c0a855cc500411426e77832ec"
        ),
        licence="Apache-2.0",
        spec=InputSpec(448, "NCHW", "BGR", "-1..1", "pad"),
        activation="sigmoid",
        thresholds=MappingProxyType({"all": 0.55}),  # approximate
    ),
    ModelDescription(
        id="deepghs/pixai-tagger-v0.9-onnx",
        repo="deepghs/pixai-tagger-v0.9-onnx",
        revision="d8cf666911a2c3d10d586d7823259192313c7eb7",
        model=FileDescription(
            MODEL_FILE, "a8d479098b5e23f253543c93df42391736abbb77c21c2efd3a513b9cda7b3657", 1_271_365_854
        ),
        labels=LabelsDescription(_CSV, "76b5dd39354a7a4d9baefb94d63b44a09a4934ee15303b7eb86c38f2128eb68a"),
        tags=13461,
        licence="Apache-2.0",
        spec=InputSpec(448, "NCHW", "RGB", "-1..1", "squash"),
        output_name="prediction",
        thresholds=MappingProxyType({"general": 0.30, "character": 0.85}),
    ),
    ModelDescription(
        BUILTIN_MODEL, None, None, FileDescription(MODEL_FILE), LabelsDescription(_CSV), licence="Apache-2.0"
    ),
    # Of every picture a square of one pixel will do: it is decoded, which finds out whether it can be, and not scored.
    ModelDescription(
        NO_MODEL, None, None, FileDescription(""), LabelsDescription(""), tags=0, spec=InputSpec(size=1, fit="squash")
    ),
)

DEFAULT = DEFAULT_MODEL

_BY_ID = MappingProxyType({model.id.lower(): model for model in MODELS})
_BY_SHA256 = MappingProxyType({model.model.sha256: model for model in MODELS if model.model.sha256})


def find(model_id: str) -> ModelDescription | None:
    """The model of that id, in capitals or not; None for an id that is not known."""
    return _BY_ID.get(model_id.strip().lower())


def find_by_sha256(sha256: str) -> ModelDescription | None:
    """The model whose `model.onnx` has that hash (a copy in the user's own folder); None where there is none."""
    return _BY_SHA256.get(sha256)
