"""Sample data: a CT of Slicer's collection, and a synthetic phantom."""

import slicer
from slicer.i18n import tr as _

_CT_SHA256 = "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e"
_CT_URL = f"https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{_CT_SHA256}"


def register():
    """List both in Slicer's Sample Data module, if it is available."""
    try:
        import SampleData
    except ImportError:
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MedSegFM",
        sampleName="MedSegFMAbdomenCT",
        uris=_CT_URL,
        fileNames="CTLiver.nrrd",
        nodeNames="MedSegFM abdomen CT",
        checksums=f"SHA256:{_CT_SHA256}",
    )
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MedSegFM",
        sampleName="MedSegFMPhantom",
        # Sample Data refuses a source without an address and a file; this one is never read.
        uris="medsegfm:phantom",
        fileNames="MedSegFMPhantom.nrrd",
        nodeNames="MedSegFM phantom",
        customDownloader=_make_for_sample_data,
    )


def _make_for_sample_data(_source):
    """What Sample Data calls when its button is clicked."""
    return make_phantom()


def make_phantom():
    """A synthetic CT of an abdomen as a volume node, without a download."""
    from MedSegFMLib.synthesis.phantom import make_abdomen

    image = make_abdomen().image
    node = slicer.util.addVolumeFromArray(
        image.array_kji, image.geometry.ijk_to_ras, _("MedSegFM phantom")
    )
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(400, 40)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    show_volume(node)
    return node


def show_volume(node):
    """Show a volume in the slice views."""
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(node.GetID())
    logic.PropagateVolumeSelection(1)
