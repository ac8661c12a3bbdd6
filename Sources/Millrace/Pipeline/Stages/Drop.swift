/// An elastic stage that is nothing but its type: any process can make it.
protocol PlainElasticStage: ElasticStage {
  init()
  /// The same on items with meta.
  var tagged: any PlainElasticStage { get }
}

/// Makes nothing of items: the end of a branch whose outputs nobody takes.
struct Drop<Input: Sendable, Output: Sendable>: PlainElasticStage {
  func process(_ item: Input, state: inout Void, _ out: Outlet<Output>) {}

  func run(_ run: inout _PutsRun<Input, Output>) async -> _RunEnd {
    while run._begin() { run._advance() }
    return .finished
  }

  var tagged: any PlainElasticStage { Drop<Tagged<Input>, Tagged<Output>>() }
}
