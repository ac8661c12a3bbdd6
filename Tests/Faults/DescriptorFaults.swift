import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// What a process has open above 2, by number, and what it is.
private func openDescriptors() -> [Int32: String] {
  var found: [Int32: String] = [:]
  for number in Int32(3)..<8_192 {
    var target = [UInt8](repeating: 0, count: 256)
    let count = readlink("/proc/self/fd/\(number)", &target, target.count)
    if count > 0 { found[number] = String(decoding: target.prefix(count), as: UTF8.self) }
  }
  return found
}

/// Tells what of the descriptors of its process is below the numbers that nobody but the pool uses, and is no file of its own.
private struct Lister: StatelessWorker, Codable {
  func process(_ item: Int) -> [Int32] { openDescriptors().keys.filter { $0 < 900 }.sorted() }
}

/// Closes its standard descriptors, prints all the same, and makes outputs that take descriptors.
private struct Mute: Worker, Codable {
  func setUp(_ context: WorkerContext) { for number in Int32(0)...2 { close(number) } }

  func process(_ item: Int, state: inout Void) throws -> [UInt8] {
    for number in Int32(0)...2 {
      guard write(number, "printed where nobody may\n", 25) == -1, fcntl(number, F_GETFD) == -1 else {
        throw Misfortune()
      }
    }
    return [UInt8](repeating: UInt8(item), count: 100_000 * (item % 2))
  }
}

extension Faults {
  /// U3 and U4: the numbers of descriptors.
  @Suite(.forks) struct Descriptors {
    /// A closure on forked processes writes each item as a line to a descriptor that it captured.
    private func expectAllLines(
      from read: () throws -> [String], by write: @escaping @Sendable (String) -> Void
    ) async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        // The pool has descriptors by now, and those of its workers may not lie where the captured one is.
        try await expectUsable(pool)
        let outputs = try await pool.map(0..<200) { item -> Int in
          write("\(item)\n")
          return item * 2
        }
        #expect(outputs == (0..<200).map { $0 * 2 })
      }
      #expect(try read().compactMap { Int($0) }.sorted() == Array(0..<200))
    }

    @Test(
      "U3: a closure writes to a file that it captured, by its number and as a FileHandle", arguments: [true, false])
    func capturedFile(isHandle: Bool) async throws {
      try await LineLedger.with { ledger in
        let number = open(ledger.path, O_WRONLY | O_APPEND)
        defer { close(number) }
        let handle = FileHandle(fileDescriptor: number)
        try await expectAllLines(from: { try ledger.lines }) { line in
          if isHandle { handle.write(Data(line.utf8)) } else { _ = write(number, line, line.utf8.count) }
        }
      }
    }

    @Test("U3: a closure writes to a pipe and to a socket that it captured", arguments: [true, false])
    func capturedPipe(isSocket: Bool) async throws {
      var ends: [Int32] = [-1, -1]
      let made = isSocket ? socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) : pipe(&ends)
      #expect(made == 0)
      let (reading, writing) = (ends[0], ends[1])
      defer { close(reading) }
      try await expectAllLines(from: {
        close(writing)
        return readToEnd(reading).split(separator: "\n").map(String.init)
      }) { line in _ = write(writing, line, line.utf8.count) }
    }

    @Test("U3: a fork of the program has what the program has, and nothing of any pool")
    func nothingOfThePools() async throws {
      let before = Set(openDescriptors().keys)
      let number = dup(2)
      defer { close(number) }
      try await withWorkerPool(.processes(2)) { other async throws in
        try await expectUsable(other)
        try await withWorkerPool(.processes(2)) { pool async throws in
          let found = try await pool.map(0..<4, options: MapOptions(chunking: .size(1))) { _ in
            (fcntl(number, F_GETFD) >= 0, openDescriptors().keys.filter { $0 < 900 })
          }
          for (hasCaptured, numbers) in found {
            #expect(hasCaptured)
            #expect(Set(numbers).isSubset(of: before.union([number])), "\(numbers)")
          }
        }
      }
    }

    @Test(
      "U3: in a worker, all numbers that code could know are free",
      arguments: [WorkerPool.ProcessOptions.Start.forkServer, .spawn])
    func numbersAreFree(start: WorkerPool.ProcessOptions.Start) async throws {
      try await withWorkerPool(.processes(2, WorkerPool.ProcessOptions(start: start))) { pool async throws in
        for numbers in try await pool.map(0..<4, with: Lister()) { #expect(numbers == []) }
      }
    }

    @Test(
      "U4: a program that was started with some of 0 to 2 closed", arguments: ["forkServer", "spawn", "fork"],
      ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
    func startedWithout(backend: String, closing: String) async throws {
      try await expectRight(backend, "exec \"$@\" \(closing)")
    }

    @Test(
      "U4: the same where few descriptors are allowed, and more could be", arguments: ["forkServer", "spawn", "fork"],
      ["ulimit -S -n 40", "ulimit -n 40"])
    func underALimit(backend: String, limit: String) async throws {
      try await expectRight(backend, "\(limit); exec \"$@\" <&-")
    }

    private func expectRight(_ backend: String, _ shell: String) async throws {
      try await LineLedger.with { ledger in
        try await onPlainThread {
          let program = try TestProgram(["bare", backend, ledger.path], through: ["sh", "-c", shell, "sh"])
          #expect(program.wait() == 0)
        }
        #expect(try ledger.lines == ["right"])
      }
    }

    @Test("U4: a worker that closes its own 0 to 2", arguments: WorkerLife.processes)
    func workerWithout(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for _ in 0..<3 {
          let outputs = try await pool.map(0..<40, with: Mute(), options: MapOptions(chunking: .size(1)))
          #expect(outputs == (0..<40).map { [UInt8](repeating: UInt8($0), count: 100_000 * ($0 % 2)) })
        }
        try await expectUsable(pool)
      }
    }
  }
}

private func readToEnd(_ descriptor: Int32) -> String {
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while case let count = read(descriptor, &buffer, buffer.count), count > 0 { all += buffer[..<count] }
  return String(decoding: all, as: UTF8.self)
}
