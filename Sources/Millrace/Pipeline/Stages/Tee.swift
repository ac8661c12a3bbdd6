/// Items go on as they are, and each goes into another pipeline as well, whose outputs are dropped.
public func Tee<Lines: PipelineLines>(@PipelineBuilder _ build: () -> Lines) -> Lines.Teed { build()._teed }
