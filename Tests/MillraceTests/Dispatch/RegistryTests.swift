import Testing

@testable import Millrace

@Suite struct RegistryTests {
  private final class Object {}

  @Test("a registry is a dictionary, whether it has few objects, many, or few again")
  func dictionary() {
    var registry = Registry<Int, Object>()
    var expected: [Int: Object] = [:]
    var random = ItemRandom(seed: 7, index: 0)
    for step in 0..<4_000 {
      // It grows to some thirty and goes back to none, again and again.
      let isGrowing = step / 100 % 2 == 0
      let key = Int.random(in: 0..<32, using: &random)
      if Int.random(in: 0..<4, using: &random) == 0 ? !isGrowing : isGrowing {
        let object = Object()
        (registry[key], expected[key]) = (object, object)
      } else if Bool.random(using: &random) {
        (registry[key], expected[key]) = (nil, nil)
      } else {
        #expect(registry.removeValue(forKey: key) === expected.removeValue(forKey: key))
      }
      #expect((0..<32).allSatisfy { registry[$0] === expected[$0] })
      #expect(registry.keys == expected.keys.sorted() && registry.isEmpty == expected.isEmpty)
      #expect(registry.entries.allSatisfy { expected[$0.key] === $0.value })
      #expect(Set(registry.values.map(ObjectIdentifier.init)) == Set(expected.values.map(ObjectIdentifier.init)))
    }
    registry.removeAll()
    #expect(registry.isEmpty && registry.keys.isEmpty)
  }

  @Test("actions that are taken one by one come in order, also those that are asked for meanwhile, and none twice")
  func actions() {
    var dispatcher = Dispatcher()
    dispatcher.resize(to: 3, now: 0)
    var spec = JobSpec(worker: dispatcher.addWorker())
    spec.eagerSetUp = true
    spec.chunking = ChunkSizer(.size(1))
    let job = dispatcher.submit(spec, now: 0)
    var place = 0
    var started: [Int] = []
    while let action = dispatcher.takeAction(&place) {
      switch action {
      case .read(_, let count, _):
        dispatcher.arrived(job, count: count, cell: Cell(), ended: true, now: 0)
      case .start(let slot, _): started.append(slot)
      default: break
      }
    }
    #expect(started == [0, 1, 2])
    #expect(dispatcher.takeActions().isEmpty)
  }

  private final class Cell: Sendable {}
}
