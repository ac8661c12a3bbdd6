import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// A folder for one test.
func withFolder<R>(_ body: (String) async throws -> R) async throws -> R {
  let folder = FileManager.default.temporaryDirectory.appending(path: "stages-\(UUID())").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try await body(folder)
}

private struct Pass: StatelessWorker, Codable {
  func process(_ item: String) -> String { item }
}

extension Checked {
  /// Files as sources and as stages.
  @Suite(.timeLimit(.minutes(1))) struct FileStages {
    @Test("X15 what is read is what is there, and what is written is read again", arguments: Backends.everything)
    func roundTrip(backend: WorkerPool.Backend) async throws {
      try await withFolder { folder in
        let (first, second) = ("\(folder)/first", "\(folder)/second")
        let text = "one\n\nthree: ä\n" + String(repeating: "x", count: 200_000) + "\nlast, without an end"
        try text.write(toFile: first, atomically: false, encoding: .utf8)
        try await withWorkerPool(backend) { pool in
          let whole = try await Pipeline { Read(first, keepsSeparators: true) }.list(on: pool)
          #expect(whole.joined() == text && whole.count == 5)
          let lines = try await Pipeline { Read(first) }.list(on: pool)
          #expect(lines.joined(separator: "\n") == text)
          let copying: Pipeline<Nothing, String> = Pipeline {
            Read(first)
            Write(second)
          }
          let passed = try await copying.list(on: pool)
          #expect(passed == lines)
          let again = try await Pipeline { Read(second) }.list(on: pool)
          #expect(again == lines)
          let exact = Pipeline { Read(first, as: [UInt8].self, keepsSeparators: true) }.write(
            to: second, terminator: "")
          try await exact.run(on: pool)
          #expect(try Data(contentsOf: URL(filePath: second)) == Data(text.utf8))
        }
      }
    }

    @Test("I21 streams with delimiters give back their items", arguments: ["\n\n", "XYZ", "\nXYZ\n", "aab"])
    func delimiters(separator: String) async throws {
      try await withFolder { folder in
        let items = ["aaa\n", "b_b_b", "abc\naa", "aXY", "ddd"].filter {
          !($0 + separator).dropLast().contains(separator)
        }
        let path = "\(folder)/stream"
        try await Pipeline { Items(items) }.write(to: path, terminator: separator).run()
        let found = try await Pipeline { Read(path, separator: separator) }.list()
        // A delimiter is the first that is found: where an item ends as it begins, that is earlier.
        let expected = (items.joined(separator: separator) + separator).components(separatedBy: separator).dropLast()
        #expect(found == Array(expected) && (separator != "XYZ" || found == items))
      }
    }

    @Test("a file is made though nothing is written, emptied, or gone on with; whoever cannot be written to is named")
    func writing() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        try await Pipeline { Items([String]()) }.write(to: path).run()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "")
        try await Pipeline { Items(["a", "b"]) }.write(to: path).run()
        try await Pipeline { Items(["c"]) }.write(to: path, .append).run()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "a\nb\nc\n")
        try await Pipeline { Items([String]()) }.write(to: path).run()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "")
        let error = await #expect(throws: PipelineError.self) {
          try await Pipeline { Items(["a"]) }.write(to: folder).run()
        }
        #expect(error?.stage.name == "Write" && (error?.underlying as? SystemError)?.code == EISDIR)
        let full = await #expect(throws: ItemFailure.self) {
          try await Pipeline { Items(["a"]) }.write(to: "/dev/full").run()
        }
        #expect(full?.stage?.name == "Write" && (full?.underlying as? SystemError)?.code == ENOSPC)
      }
    }

    @Test("several instances write whole lines into one file", arguments: Backends.apart)
    func instances(backend: WorkerPool.Backend) async throws {
      try await withFolder { folder in
        let path = "\(folder)/lines"
        try await withWorkerPool(backend) { pool in
          let pipeline: Pipeline<Nothing, String> = Pipeline {
            Items((0..<500).map { "\($0) " + String(repeating: "x", count: $0) })
            Parallel(3) { Write(path) }
          }
          try await pipeline.run(on: pool)
          let lines = try await Pipeline { Read(path) }.list()
          #expect(lines.count == 500)
          for line in lines {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            #expect(words.count == 2 && Int(words[0]) == words[1].count)
          }
        }
      }
    }

    @Test("a file that is not there, or is not text, ends the run and is named")
    func wrongFiles() async throws {
      try await withFolder { folder in
        let missing = await #expect(throws: PipelineError.self) { try await Pipeline { Read("\(folder)/none") }.list() }
        #expect(missing?.kind == .sourceFailed && (missing?.underlying as? SystemError)?.code == ENOENT)
        try Data([65, 10, 0xff, 10]).write(to: URL(filePath: "\(folder)/bytes"))
        let wrong = await #expect(throws: PipelineError.self) { try await Pipeline { Read("\(folder)/bytes") }.list() }
        let line = wrong?.underlying as? InvalidLine
        #expect(line?.path == "\(folder)/bytes" && line?.number == 2)
        let bytes = try await Pipeline { Read("\(folder)/bytes", as: [UInt8].self) }.list()
        #expect(bytes == [[65], [0xff]])
      }
    }

    @Test("who follows a file reads what is added, a new file of that name, and one that was emptied")
    func following() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        @Sendable func add(_ text: String) throws {
          if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
          }
          let file = try #require(FileHandle(forWritingAtPath: path))
          defer { try? file.close() }
          try file.seekToEnd()
          try file.write(contentsOf: Data(text.utf8))
        }
        // It waits for the file, too.
        var lines = Pipeline { Read(path, follow: true) }.outputs().makeAsyncIterator()
        let adding = Task { try add("one\ntw") }
        #expect(try await lines.next() == "one")
        try await adding.value
        try add("o\n")
        #expect(try await lines.next() == "two")
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        try add("three\n")
        #expect(try await lines.next() == "three")
        try "4\n".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(try await lines.next() == "4")
      }
    }

    @Test("who follows a file ends when nobody wants more, and when the run is stopped")
    func followingEnds() async throws {
      try await withFolder { folder in
        let path = "\(folder)/log"
        try "1\n2\n3\n".write(toFile: path, atomically: false, encoding: .utf8)
        let two = try await Pipeline { Read(path, follow: true) }.take(2).list()
        #expect(two == ["1", "2"])
        for how in [PipelineRun.Stop.drain, .now] {
          let seen = CommonCounter()
          let run = try Pipeline { Read(path, follow: true) }.stage(Tap("See") { _ in seen.increment() }).start()
          while seen.value < 3 { await Task.yield() }
          try await run.stop(how)
          #expect(run.state == .finished)
        }
      }
    }

    @Test("a FIFO is read when somebody writes, and written to when somebody reads; whoever waits can be cancelled")
    func fifos() async throws {
      try await withFolder { folder in
        let path = "\(folder)/fifo"
        #expect(mkfifo(path, 0o600) == 0)
        async let read = Pipeline { Read(path) }.list()
        try await Pipeline { Items((0..<20_000).map { "\($0)" }) }.write(to: path).run()
        #expect(try await read == (0..<20_000).map { "\($0)" })
        let run = try Pipeline { Items(["a"]) }.write(to: path).start()
        try await run.stop(.now)
        let waiting = try Pipeline { Read(path) }.start()
        try await waiting.stop(.now)
      }
    }

    /// Two ends of a socket, or of a pipe: what is written to the second is read from the first.
    private static func ends(_ isSocket: Bool) -> (reading: Int32, writing: Int32) {
      var ends: [Int32] = [-1, -1]
      let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      #expect((isSocket ? socketpair(AF_UNIX, kind, 0, &ends) : pipe(&ends)) == 0)
      for end in ends { #expect(fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
      return (ends[0], ends[1])
    }

    @Test("I21 what is open is written to and read, and stays its owner's: a socket, a pipe", arguments: [true, false])
    func descriptors(isSocket: Bool) async throws {
      let (here, there) = Self.ends(isSocket)
      let items = ["aaa\n", "b_b_b", "abc\n", "ddd", String(repeating: "ä", count: 300_000)]
      let all = items + (0..<20_000).map { "\($0)" }
      async let read = Pipeline { Read(descriptor: here, separator: "XYZ") }.list()
      try await Pipeline { Items(all) }.stage(Write(descriptor: there, terminator: "XYZ")).run()
      let numbers: Pipeline<Nothing, [UInt8]> = Pipeline {
        Items([[1, 2] as [UInt8]])
        Write(descriptor: there, as: [UInt8].self, terminator: "")
      }
      try await numbers.run()
      #expect(fcntl(there, F_GETFL) & O_NONBLOCK == 0 && fcntl(here, F_GETFL) & O_NONBLOCK == 0)
      #expect(close(there) == 0)
      let found = try await read
      #expect(found == all + ["\u{1}\u{2}"])
      #expect(close(here) == 0)
    }

    @Test("whoever waits for what is open can be stopped", arguments: [true, false])
    func stoppedAtDescriptors(isSocket: Bool) async throws {
      let (here, there) = Self.ends(isSocket)
      let lines = CommonCounter()
      let silent = try Pipeline { Read(descriptor: here) }.stage(Tap("See") { _ in lines.increment() }).start()
      try await Pipeline { Items(["a"]) }.stage(Write(descriptor: there)).run()
      while lines.value < 1 { await Task.yield() }
      try await silent.stop(.now)
      let line = String(repeating: "x", count: 4_095)
      let full = try Pipeline { Const(line) }.stage(Write(descriptor: there)).start()
      // It is full when nothing more comes while nobody reads.
      var space = pollfd(fd: there, events: Int16(POLLOUT), revents: 0)
      while poll(&space, 1, 0) > 0 { await Task.yield() }
      try await full.stop(.now)
      #expect(close(there) == 0 && close(here) == 0)
    }

    @Test("what is open is of the program: a Write in a worker process is refused; numbers of nothing are, too")
    func foreignDescriptors() async throws {
      let (here, there) = Self.ends(true)
      let negative = await #expect(throws: InvalidOption.self) {
        try await Pipeline { Read(descriptor: -1) }.run()
      }
      #expect(negative?.name == "Read(descriptor:)")
      await #expect(throws: InvalidOption.self) {
        try await Pipeline { Items(["a"]) }.stage(Write(descriptor: -2)).run()
      }
      if !ThreadSanitizer.isOn {
        try await withWorkerPool(.processes(1)) { pool in
          let elsewhere = await #expect(throws: PipelineError.self) {
            try await Pipeline { Items(["a"]) }.stage(Write(descriptor: there)).run(on: pool)
          }
          #expect(elsewhere?.stage.name == "Write" && "\(elsewhere!)".contains("Write(descriptor:)"))
          let here: Pipeline<Nothing, String> = Pipeline {
            Items(["a"])
            Serial(on: .threads(1)) { Write(descriptor: there) }
          }
          try await here.run(on: pool)
        }
      }
      #expect(close(there) == 0)
      let found = try await Pipeline { Read(descriptor: here) }.list()
      #expect(found == (ThreadSanitizer.isOn ? [] : ["a"]))
      #expect(close(here) == 0)
      let gone = await #expect(throws: PipelineError.self) {
        try await Pipeline { Read(descriptor: 9_999) }.run()
      }
      #expect(gone?.kind == .sourceFailed && (gone?.underlying as? SystemError)?.code == EBADF)
    }

    @Test("U192: what is refused has emptied no file", arguments: 0..<4)
    func refused(number: Int) async throws {
      try await withFolder { folder in
        let path = "\(folder)/results"
        try "kept".write(toFile: path, atomically: false, encoding: .utf8)
        let written = Pipeline { Items(["new"]) }.write(to: path)
        let refused =
          switch number {
          case 0: written.take(-1)
          case 1: written.parallel(0, Pass())
          case 2: written.balanced(cpus: 0)
          default: written.parallel(2, on: .processes(3), Pass())
          }
        await #expect(throws: InvalidOption.self) { try await refused.run() }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "kept")
      }
    }

    @Test("files of the kernel's are read as SharedBytes, though they have no size")
    func kernelFiles() throws {
      let status = try SharedBytes(contentsOf: "/proc/self/status")
      #expect(String(decoding: status, as: UTF8.self).contains("Name:"))
      #expect(try SharedBytes(contentsOf: "/dev/shm/../../proc/sys/kernel/ostype").elementsEqual("Linux\n".utf8))
    }
  }
}
