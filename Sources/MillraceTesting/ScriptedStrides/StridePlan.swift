import Millrace

/// What a seed says about the world of a ``StrideSimulation``: the tasks, how they fail, and who takes from them.
struct StridePlan {
  /// Where consumers take from next.
  enum Manner {
    /// Begin the next stride of an output only when this stride of all outputs is taken.
    case strideByStride
    case anywhere
    /// A consumer for each output, and at times some more.
    case oneEach
  }

  var stride = 1
  var buffer: Int?
  var isOrdered = true
  var skipsTimedOut = false
  var width = 1
  var sources: [StrideMachine.Source] = []
  /// How many items a task's external input has; nil: no end.
  var lengths: [Int?] = []
  /// How many of a hundred tasklets fail.
  var failures = 0
  var manner = Manner.anywhere
  /// How many of a hundred waits are given up, for impatience or because the task is cancelled.
  var impatience = 0
  var cancellations = 0
  /// How many of a hundred takes are a consumer's last.
  var leaving = 0
  /// How many of a hundred consumers take in loops, and say when they leave those.
  var loops = 100
  /// At which step the map is stopped.
  var stopAt: Int?
  /// Whether the grace may be over while other things could happen.
  var hasShortGrace = false

  init(seed: UInt64) {
    var random = SimulatedRandom(seed: seed)
    stride = random.within(1...5)
    width = random.within(1...4)
    isOrdered = random.chance(75)
    for task in 0..<random.within(1...6) {
      if task > 0, random.chance(55) {
        var sources = Array(0..<task)
        while sources.count > 1, random.chance(60) { sources.remove(at: random.below(sources.count)) }
        self.sources.append(.outputs(sources.shuffled(using: &random)))
        lengths.append(0)
      } else {
        sources.append(.external)
        lengths.append(random.within(0...16))
      }
    }
    if random.chance(30) {
      // All of one length, or without end.
      let length: Int? = random.chance(50) ? nil : random.within(0...16)
      for task in lengths.indices { lengths[task] = length }
    }
    let isEndless = lengths.contains(nil)
    stopAt = isEndless || random.chance(20) ? random.within(0...150) : nil
    failures = random.one(of: [0, 0, 10, 50])
    manner = random.one(of: [.strideByStride, .anywhere, .anywhere, .oneEach])
    if manner != .strideByStride {
      impatience = random.one(of: [0, 0, 5, 30])
      cancellations = random.one(of: [0, 0, 5])
      leaving = isEndless ? 0 : random.one(of: [0, 0, 0, 5])
      skipsTimedOut = random.chance(50)
      loops = random.one(of: [0, 50, 100])
      hasShortGrace = manner == .anywhere && random.chance(50)
      if random.chance(50) { buffer = machine.smallestBuffer + random.one(of: [0, 0, 1, 2, 7, 30]) }
    } else if random.chance(30) {
      buffer = machine.buffer + random.below(8)
    }
  }

  var machine: StrideMachine {
    var machine = StrideMachine(stride: stride, buffer: buffer, isOrdered: isOrdered, skipsTimedOut: skipsTimedOut)
    for source in sources { _ = machine.add(source) }
    return machine
  }

  func upstream(_ task: Int) -> [Int] { if case .outputs(let sources) = sources[task] { sources } else { [] } }

  func readers(_ task: Int) -> [Int] { sources.indices.filter { upstream($0).contains(task) } }

  var outputs: [Int] { sources.indices.filter { readers($0).isEmpty } }
}
