import Millrace
import Testing

/// What PaPy's document says of its scheduler, step by step, without a pool.
@Suite struct StrideMachineTests {
  /// Machine and world: tasklets finish in the order of their submission, as soon as somebody waits.
  struct Play {
    var machine: StrideMachine
    var left: [Int: Int] = [:]
    var submitted: [String] = []
    var delivered: [String] = []
    var running: [(Int, Int)] = []
    /// For whom somebody is to wait.
    var patience: StrideMachine.Patience?

    init(stride: Int, buffer: Int? = nil, _ sources: [StrideMachine.Source], items: Int) {
      machine = StrideMachine(stride: stride, buffer: buffer)
      for source in sources {
        let task = machine.add(source)
        if source == .external { left[task] = items }
      }
      machine.start()
      carryOut()
    }

    mutating func carryOut() {
      while case let actions = machine.takeActions(), !actions.isEmpty {
        for action in actions {
          switch action {
          case .pull(let task):
            let hasItem = left[task]! > 0
            if hasItem { left[task]! -= 1 }
            machine.pulled(task, ended: !hasItem)
          case .submit(let task, let index):
            submitted.append("\(task)[\(index)]")
            running.append((task, index))
          case .deliver(let task, let index, _): delivered.append("\(task)[\(index)]")
          case .end(let task, _): delivered.append("\(task) ends")
          case .blocked(_, let blockage): delivered.append("\(blockage)")
          case .grace(_, let patience): self.patience = patience
          default: break
          }
        }
      }
    }

    mutating func settle() {
      while !running.isEmpty {
        let (task, index) = running.removeFirst()
        machine.finished(task, index, failed: false)
        carryOut()
      }
    }

    mutating func next(_ task: Int, taker: Int = 0, loop: UInt64? = nil) -> String? {
      let before = delivered.count
      machine.next(task, waiter: UInt64(taker), taker: taker, loop: loop)
      carryOut()
      settle()
      return delivered.count > before ? delivered[before] : nil
    }
  }

  @Test("the rule of two lines in PaPy's document does not suffice")
  func theCounterExample() {
    // At most a stride from an output in a row, and its result n before result n of the next output: two from the first,
    // one from the second, again and again.
    var play = Play(stride: 2, [.external, .external], items: 100)
    var last: String?
    for _ in 0..<6 where last?.hasPrefix("result") != true {
      for output in [0, 0, 1] where last?.hasPrefix("result") != true { last = play.next(output) }
    }
    #expect(last?.contains("Take from output 1 first") == true)
  }

  @Test("a chain needs no more than its stride")
  func smallestBuffers() {
    #expect(machine(stride: 3, [.external, .outputs([0]), .outputs([1])]).smallestBuffer == 3)
    #expect(machine(stride: 3, [.external, .external, .outputs([0, 1])]).smallestBuffer == 6)
    #expect(machine(stride: 3, [.external, .external]).smallestBuffer == 3)
  }

  private func machine(stride: Int, _ sources: [StrideMachine.Source]) -> StrideMachine {
    var machine = StrideMachine(stride: stride)
    for source in sources { _ = machine.add(source) }
    return machine
  }

  @Test("who waits for what another will take is not told that nobody does")
  func attended() {
    var play = Play(stride: 3, buffer: 6, [.external, .external], items: 100)
    #expect(play.next(1, taker: 2) == "1[0]")
    var taken = 0
    while let result = play.next(0, taker: 1) {
      #expect(result == "0[\(taken)]")
      taken += 1
    }
    // The other takes on, and at last it is the turn of the first task again.
    while !play.delivered.contains("0[\(taken)]") { #expect(play.next(1, taker: 2)?.hasPrefix("1[") == true) }
  }

  @Test("U176: when a result is given up, whoever else waits gets what is there behind it")
  func theNextOneIsThere() {
    var machine = StrideMachine(stride: 2, skipsTimedOut: true)
    let task = machine.add(.external)
    machine.start()
    machine.pulled(task, ended: false)
    machine.next(task, waiter: 1, taker: 1)
    machine.next(task, waiter: 2, taker: 2)
    machine.pulled(task, ended: false)
    machine.finished(task, 1, failed: false)
    _ = machine.takeActions()
    machine.timedOut(task, waiter: 1)
    let delivered = machine.takeActions().compactMap { action in
      if case .deliver(_, let index, let waiter) = action { [index, Int(waiter)] } else { nil }
    }
    #expect(delivered == [[1, 2]])
  }

  /// Two outputs, the buffer full with results of the first, and somebody who waits at the second.
  private func standstill(_ prepare: (inout Play) -> Void) -> (Play, patience: StrideMachine.Patience?) {
    var play = Play(stride: 2, buffer: 2, [.external, .external], items: 100)
    play.settle()
    prepare(&play)
    play.patience = nil
    while play.next(1, taker: 9)?.hasPrefix("1[") == true {}
    return (play, play.patience)
  }

  @Test("U235: who waits is told at once, after a second, after a minute or never, by what is known of others")
  func patience() {
    // Nobody has begun with the first output.
    #expect(standstill { _ in }.patience == .toBegin)
    // Somebody has, in no loop: perhaps he is gone.
    #expect(standstill { _ = $0.next(0, taker: 1) }.patience == .toComeAgain)
    // He waits himself.
    #expect(standstill { _ = $0.next(0, taker: 9) }.patience == nil)
    // He is in a loop, and slow.
    let slow = standstill { _ = $0.next(0, taker: 1, loop: 1) }
    #expect(slow.patience == nil && slow.0.delivered.last?.hasPrefix("result") == false)
    // Another loop was left, and his was not.
    let left = standstill {
      _ = $0.next(0, taker: 1, loop: 1)
      _ = $0.next(0, taker: 2, loop: 2)
      $0.machine.left(0, loop: 2)
    }
    #expect(left.patience == nil && left.0.delivered.last?.hasPrefix("result") == false)
    // All loops were left.
    #expect(
      standstill {
        _ = $0.next(0, taker: 1, loop: 1)
        $0.machine.left(0, loop: 1)
      }.patience == .toBegin)
    // Who is in a loop over the one waits at the other.
    let own = standstill { _ = $0.next(0, taker: 9, loop: 1) }
    #expect(own.0.delivered.last?.hasPrefix("result") == true)
  }
}
