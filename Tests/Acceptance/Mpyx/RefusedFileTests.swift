import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// What is thrown; nil: nothing is.
private func problem(_ body: () async throws -> Void) async -> (any Error)? {
  do { try await body() } catch { return error }
  return nil
}

/// The name of the option that is refused.
private func name(_ body: () async throws -> Void) async -> String? {
  (await problem(body) as? InvalidOption)?.name
}

/// What an item has failed with, in words.
private func words(_ body: () async throws -> Void) async -> String? {
  (await problem(body) as? ItemFailure).map { "\($0)" }
}

extension Checked {
  /// Files and programs that stages are given and cannot use.
  @Suite(.timeLimit(.minutes(1))) struct RefusedFiles {
    @Test("U138: a path with a NUL in it is refused by name, before anything is made")
    func paths() async throws {
      try await withFolder { folder in
        let path = "\(folder)/a\u{0}b"
        #expect(await name { try await Pipeline { Items(["x"]) }.write(to: path).run() } == "the path of Write")
        #expect(await name { try await Pipeline { Read(path) }.run() } == "the path of Read")
        let port = Script.Port("out", "txt")
        for (file, place) in [(path, folder), ("script", path)] {
          let script = Script(id: "s", ["sh"], file, in: ["in"], out: [port], folder: place)
          let found = await name { try await Pipeline { Items([["in": "x"]]) }.map(with: script).run() }
          #expect(found?.contains("script s") == true)
        }
        let made = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(made == [])
      }
    }

    @Test(
      "U138: so are an item's file, and variables and folders of a program",
      arguments: [WorkerPool.Backend.threads(1), .processes(1)])
    func items(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        try await withFolder { folder in
          let script = Script(id: "s", ["sh"], "none", in: ["in"], out: [Script.Port("out", "txt")], folder: folder)
          let found = await words {
            _ = try await Pipeline { Items([["in": "x\u{0}y"]]) }.map(with: script).list(on: pool)
          }
          #expect(found?.contains("NUL") == true)
        }
        for (command, option) in [
          (Command(["true"], environment: ["A=B": "c"]), "an environment variable of true"),
          (Command(["true"], environment: ["A": "c\u{0}"]), "an environment variable of true"),
          (Command(["true"], folder: "/\u{0}"), "the path of the folder of true"),
        ] {
          let found = await name { _ = try await Pipeline { Items([""]) }.map(with: command).list(on: pool) }
          #expect(found == option)
        }
      }
    }

    @Test("U139: a Write that cannot open its file is named")
    func unwritable() async throws {
      let path = "/proc/none/of/these"
      let error = await #expect(throws: PipelineError.self) {
        try await Pipeline { Items(["x"]) }.write(to: path).run()
      }
      #expect(error?.kind == .setUpFailed && error?.stage == ItemFailure.Stage(name: "Write", position: 1))
      let system = try #require(error?.underlying as? SystemError)
      #expect(system.code == ENOENT && "\(system)".contains(path))
    }

    @Test("U141: what a program has written and is not UTF-8 is refused", arguments: Backends.everything)
    func notText(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let failure = await #expect(throws: ItemFailure.self) {
          try await Pipeline<String, String> { Command("printf", #"one\ntwo\n\377\n"#) }.list(of: [""], on: pool)
        }
        let line = try #require(failure?.underlying as? InvalidLine)
        #expect(line.path == "printf" && line.number == 3 && "\(line)".contains("printf"))
      }
    }
  }
}
