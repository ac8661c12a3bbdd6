import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// What PaPy's document says of its IMap, by the numbers of the cases.
  @Suite struct StridedWalkthroughs {
    static let narrow = [WorkerPool.Backend.serial, .tasks(1), .threads(1), .processes(1)].runnable

    @Test("I1 the walk-through: what each result makes room for, and what blocks", arguments: Backends.everything)
    func i1(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 3, buffer: 6, isTraced: true)
        let out0 = try loom.add(0..<100, with: AddOne())
        let out1 = try loom.add(0..<100, with: Times(factor: 2))
        try loom.start()
        #expect(texts(loom) == ["0[0]", "0[1]", "0[2]", "1[0]", "1[1]", "1[2]"])
        for index in 0..<6 { #expect(try await out0.next() == index + 1) }
        #expect(texts(loom).dropFirst(6) == ["0[3]", "0[4]", "0[5]", "1[3]", "1[4]", "1[5]"])
        let error = await #expect(throws: StridedMapError.self) { try await out0.next(within: .milliseconds(100)) }
        #expect(error?.kind == .nextTimedOut)
        #expect(try await out1.next() == 0)
        #expect(texts(loom).dropFirst(12) == ["0[6]"])
        #expect(try await out0.next() == 7)
        #expect(texts(loom).dropFirst(13) == ["0[7]"])
      }
    }

    @Test("I1 whoever would wait for ever is told from where to take", arguments: Backends.all)
    func i1Standstill(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 3, buffer: 6)
        let out0 = try loom.add(0..<100, with: AddOne())
        let out1 = try loom.add(0..<100, with: AddOne())
        for _ in 0..<6 { _ = try await out0.next() }
        let error = await #expect(throws: StridedMapError.self) { try await out0.next() }
        #expect(error?.kind == .standstill && error?.output == out1.position)
        #expect(error?.message.contains("the buffer of 6 is full with 6 of output 1 (from result 0 on)") == true)
        for index in 0..<2 { #expect(try await out1.next() == index + 1) }
        #expect(try await out0.next() == 7)
        // Now the very task that waits attends to the other: it needs no second to know.
        _ = try await out0.next()
        let again = await #expect(throws: StridedMapError.self) {
          while try await out0.next(within: .seconds(30)) != nil {}
        }
        #expect(again?.kind == .standstill)
      }
    }

    @Test("I2 two tasks, evaluated stride by stride", arguments: narrow)
    func i2(backend: WorkerPool.Backend) async throws {
      let clock = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2, isTraced: true)
        let left = try loom.add(0..<4) { (clock.increment(), "L\($0)") }
        let right = try loom.add(0..<4) { (clock.increment(), "R\($0)") }
        var results: [(Int, String)] = []
        for _ in 0..<4 { results += [try await left.next()!, try await right.next()!] }
        #expect(results.map(\.1) == ["L0", "R0", "L1", "R1", "L2", "R2", "L3", "R3"])
        let expected = ["L0", "L1", "R0", "R1", "L2", "L3", "R2", "R3"]
        #expect(results.sorted { $0.0 < $1.0 }.map(\.1) == expected)
        #expect(texts(loom) == expected.map { ($0.hasPrefix("L") ? "0" : "1") + "[\($0.last!)]" })
        #expect(try await left.next() == nil)
        #expect(try await right.next() == nil)
      }
    }

    @Test("I3 the buffer: six before anything is taken, two after two", arguments: Backends.all.able(.runsClosures))
    func i3(backend: WorkerPool.Backend) async throws {
      let evaluated = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2, buffer: 6, isTraced: true)
        let left = try loom.add(0..<4) { item in (item, evaluated.increment()).0 }
        let right = try loom.add(0..<4) { item in (item, evaluated.increment()).0 }
        try loom.start()
        await evaluated.wait(for: 6)
        #expect(texts(loom) == ["0[0]", "0[1]", "1[0]", "1[1]", "0[2]", "0[3]"])
        #expect(try await [left.next(), left.next()] == [0, 1])
        await evaluated.wait(for: 8)
        #expect(texts(loom).dropFirst(6) == ["1[2]", "1[3]"])
        #expect(try await right.next() == 0)
      }
    }

    @Test("I4 degrees of radians: a stride of each, in turn", arguments: narrow)
    func i4(backend: WorkerPool.Backend) async throws {
      let clock = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2, isTraced: true)
        let radians = try loom.add(1...4) { [clock.increment(), $0] }
        let degrees = try loom.add(radians) { $0 + [clock.increment()] }
        var results: [[Int]] = []
        for try await result in degrees { results.append(result) }
        #expect(results == [[1, 1, 3], [2, 2, 4], [5, 3, 7], [6, 4, 8]])
        #expect(texts(loom) == ["0[0]", "0[1]", "1[0]", "1[1]", "0[2]", "0[3]", "1[2]", "1[3]"])
      }
    }

    @Test("three tasks take their turns in the order in which they were added", arguments: Backends.all)
    func threeTasks(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2, isTraced: true)
        let first = try loom.add(0..<4, with: AddOne())
        let second = try loom.add(first, with: AddOne())
        let third = try loom.add(0..<4, with: AddOne())
        var results: [Int] = []
        for _ in 0..<4 { results += [try await second.next()!, try await third.next()!] }
        #expect(results == [2, 1, 3, 2, 4, 3, 5, 4])
        let round = { (from: Int) in (0..<3).flatMap { task in (from..<from + 2).map { "\(task)[\($0)]" } } }
        #expect(texts(loom) == round(0) + round(2))
      }
    }

    private func texts(_ loom: StridedMap) -> [String] { loom.trace.map(\.description) }
  }
}
