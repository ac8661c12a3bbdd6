import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Other programs as stages.
  @Suite(.timeLimit(.minutes(1))) struct Scripts {
    @Test("an item goes through a program, however large it is", arguments: Backends.everything)
    func commands(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let shouting = Pipeline<String, String> { Command("tr", "a-z", "A-Z") }
        let large = String(repeating: "abc\n", count: 100_000)
        let found = try await shouting.list(of: ["one", "", large], on: pool)
        #expect(found == ["ONE", "", large.uppercased()])
      }
    }

    @Test(
      "I22 a program that fails: its exit code, standard output and standard error are in the failure",
      arguments: Backends.everything)
    func failures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let fails = Pipeline<String, String> { Command("sh", "-c", "cat; echo said; echo complained >&2; exit 7") }
        let failure = await #expect(throws: ItemFailure.self) { try await fails.list(of: ["x"], on: pool) }
        let program = failure?.underlying as? ProgramFailure
        #expect(program?.exitCode == 7 && program?.signal == nil && program?.arguments.first == "sh")
        #expect(program?.standardOutput == "xsaid\n" && program?.standardError == "complained\n")
        #expect(failure?.stage?.name == "Command" && failure.map { "\($0)" }?.contains("exited with code 7") == true)
      }
    }

    // Not where a child has memory of its own from the start: it cannot say why it is no other program.
    @Test("a program that is not there is named", .forks) func absentProgram() async throws {
      let absent = await #expect(throws: ItemFailure.self) {
        try await Pipeline<String, String> { Command("/no/such/program") }.list(of: ["x"])
      }
      #expect((absent?.underlying as? SystemError)?.code == ENOENT)
    }

    @Test("a program is ended by a signal, or reads nothing")
    func otherEnds() async throws {
      let killed = await #expect(throws: ItemFailure.self) {
        try await Pipeline<String, String> { Command("sh", "-c", "kill -9 $$") }.list(of: ["x"])
      }
      #expect((killed?.underlying as? ProgramFailure)?.signal == 9)
      let large = String(repeating: "x", count: 1_000_000)
      let deaf = try await Pipeline<String, String> { Command("echo", "done") }.list(of: [large])
      #expect(deaf == ["done\n"])
      // Its own children may outlive it, and hold its output open.
      let leaving = try await Pipeline<String, String> { Command("sh", "-c", "sleep 100 & echo gone") }.list(of: [""])
      #expect(leaving == ["gone\n"])
    }

    @Test("U195: a program's end is seen though others hold its input, or write to its output without end")
    func leftBehind() async throws {
      let large = String(repeating: "x", count: 1_000_000)
      let failure = await #expect(throws: ItemFailure.self) {
        try await Pipeline<String, String> { Command("sh", "-c", "sleep 1000 <&0 & exit 3") }.list(of: [large])
      }
      #expect((failure?.underlying as? ProgramFailure)?.exitCode == 3)
      for writer in ["yes", "setsid yes"] {
        let loud = try await Pipeline<String, String> { Command("sh", "-c", "\(writer) & sleep 0.1") }.list(of: [""])
        #expect(loud[0].utf8.allSatisfy { $0 == UInt8(ascii: "y") || $0 == UInt8(ascii: "\n") })
      }
    }

    @Test("U197: variables that are no text, or begin with a combining mark, reach the program as they are")
    func oddVariables() async throws {
      setenv("MILLRACE_ODD", "\u{301}", 1)
      let odd: [CChar] = [0x61, -28, 0]
      setenv("MILLRACE_BYTES", odd, 1)
      defer {
        unsetenv("MILLRACE_ODD")
        unsetenv("MILLRACE_BYTES")
      }
      let command = Command(
        ["sh", "-c", "printf %s \"$MILLRACE_BYTES\" | od -An -tx1; env | grep -c MILLRACE_ODD="],
        environment: ["MILLRACE_ODD": "mine"])
      let found = try await Pipeline<String, String> { command }.list(of: [""])
      #expect(found == [" 61 e4\n1\n"])
    }

    @Test("variables and folders")
    func surroundings() async throws {
      try await withFolder { folder in
        let command = Command(["sh", "-c", "echo $WHO; pwd -P"], environment: ["WHO": "Ann"], folder: folder)
        let found = try await Pipeline<String, String> { command }.list(of: [""])
        let real = URL(filePath: folder).resolvingSymlinksInPath().path
        #expect(found == ["Ann\n\(real)\n"])
      }
    }

    @Test("who is given up ends its program", arguments: [WorkerPool.Backend.threads(1), .tasks(1)])
    func cancelling(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        try await withFolder { folder in
          #expect(mkfifo("\(folder)/started", 0o600) == 0)
          let command = Command("sh", "-c", "echo >\(folder)/started; exec sleep 1000")
          let run = try Pipeline { Items([""]) }.map(with: command).start(on: pool)
          let started = try await Pipeline { Read("\(folder)/started") }.list()
          #expect(started == [""])
          try await run.stop(.now)
        }
      }
    }

    @Test("I22 scripts: files at ports, named after what they are made from", arguments: Backends.all)
    func scripts(backend: WorkerPool.Backend) async throws {
      try await withFolder { folder in
        func write(_ name: String, _ text: String) throws -> String {
          try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
          return "\(folder)/\(name)"
        }
        // What the JSON says is found without a JSON reader: its lines are known.
        let port = #"field() { sed -n "s/.*\"$2\": {\"$3\": \"\([^\"]*\)\".*/\1/p" "$1"; }"#
        let copy = try write("copy.sh", "\(port)\ncp \"$(field \"$1\" in message)\" \"$(field \"$1\" out greeting)\"\n")
        let append = try write(
          "append.sh",
          "\(port)\no=$(field \"$1\" out package)\ncp \"$(field \"$1\" in greeting)\" \"$o\"\nprintf '%s\\n' \"$(field \"$1\" params end)\" >>\"$o\"\n"
        )
        let fails = try write("fails.sh", "echo said; echo complained >&2; exit 3\n")
        let message = try write("work_moar.txt", "hello\n")
        try await withWorkerPool(backend) { pool in
          let workflow: Pipeline<Script.Ports, Script.Ports> = Pipeline {
            Script(id: "sh", ["sh"], copy, in: ["message"], out: [.init("greeting", "txt")], folder: folder)
            Script(
              id: "py", ["sh"], append, in: ["greeting"], out: [.init("package", "txt")],
              parameters: ["end": "a \\ world"],
              folder: folder)
          }
          let found = try await workflow.list(of: [["message": message]], on: pool)
          #expect(found == [["package": "\(folder)/work_moar_sh-greeting_py-package.txt"]])
          #expect(try String(contentsOfFile: "\(folder)/work_moar_sh-greeting.txt", encoding: .utf8) == "hello\n")
          let made = try String(contentsOfFile: "\(folder)/work_moar_sh-greeting_py-package.txt", encoding: .utf8)
          #expect(made == "hello\na \\\\ world\n")

          let failing = Pipeline<Script.Ports, Script.Ports> {
            Script(id: "no", ["sh"], fails, in: ["message"], out: [.init("message", "out")], folder: folder)
          }
          let failure = await #expect(throws: ItemFailure.self) {
            try await failing.list(of: [["message": message]], on: pool)
          }
          let program = failure?.underlying as? ProgramFailure
          #expect(
            program?.exitCode == 3 && program?.standardOutput == "said\n" && program?.standardError == "complained\n")
          let missing = await #expect(throws: ItemFailure.self) {
            try await failing.list(of: [["other": message]], on: pool)
          }
          #expect((missing?.underlying as? InvalidOption)?.allowed == "with a file for port message")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(".") }
        #expect(names == [])
      }
    }
  }
}
