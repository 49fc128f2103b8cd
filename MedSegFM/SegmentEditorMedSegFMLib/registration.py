"""Registers the effect, so that each segment editor in Slicer shows its button."""

from pathlib import Path


def register():
    """Register the effect with Slicer, once it has started."""
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    # Slicer names the Python module after the folder and the class after the file.
    effect.setPythonSource(Path(__file__).with_name("SegmentEditorEffect.py").as_posix())
    effect.self().register()
