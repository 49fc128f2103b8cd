"""Stand-in for Slicer's module Sample Data: registers sources, and refuses what that refuses."""

import slicer

_FIELDS = ("uris", "fileNames", "nodeNames", "loadFiles", "loadFileType", "checksums")


class SampleDataSource:
    """Files of a sample; one text for each field, or lists of equal length."""

    def __init__(
        self,
        sampleName=None,
        sampleDescription=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        checksums=None,
        loadFiles=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType=None,
        loadFileProperties=None,
    ):
        given = (uris, fileNames, nodeNames, loadFiles, loadFileType, checksums)
        values = dict(zip(_FIELDS, given, strict=True))
        if isinstance(uris, str):
            values = {name: [value] for name, value in values.items()}
        elif isinstance(uris, list | tuple):
            if loadFileType is None or isinstance(loadFileType, str):
                values["loadFileType"] = [loadFileType] * len(uris)
            for name in ("nodeNames", "loadFiles", "checksums"):
                values[name] = [None] * len(uris) if values[name] is None else values[name]
        # As there: without uris the length of None is asked for, a TypeError.
        if len({len(value) for value in values.values()}) != 1:
            raise ValueError("All fields of sample data source must have the same length")
        vars(self).update(values)
        self.sampleName = sampleName
        self.sampleDescription = sampleDescription or sampleName
        self.customDownloader = customDownloader
        self.thumbnailFileName = thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}

    def _described(self):
        return {name: str(value) for name, value in vars(self).items()}

    def __eq__(self, other):
        return self._described() == other._described()

    __hash__ = None


class SampleDataLogic:
    """The sources by category, in `slicer.modules.sampleDataSources`."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType="VolumeFile",
        loadFiles=None,
        loadFileProperties={},  # noqa: B006
        checksums=None,
    ):
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileType=loadFileType,
            loadFileProperties=loadFileProperties,
        )
        sources = SampleDataLogic.sampleDataSourcesByCategory().setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category=None):
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources
        return sources if category is None else sources.get(category, [])
