import Foundation
import Millrace

// What "Coming from mpyx" shows.

/// Stands for a picture.
struct Picture: Codable {
  var name: String
  var text: String
}

/// mpyx' `ImgFiles`: the names of a folder's pictures.
struct ImageFiles: Source {
  var folder: String

  func produce(_ out: Outlet<String>) async throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name.hasSuffix(".img") {
      try await out.put("\(folder)/\(name)")
    }
  }
}

@Sendable func readPicture(_ path: String) throws -> Picture {
  Picture(name: URL(filePath: path).lastPathComponent, text: try String(contentsOfFile: path, encoding: .utf8))
}
@Sendable func resize(_ picture: Picture) -> Picture { Picture(name: picture.name, text: "\(picture.text), resized") }
@Sendable func enhance(_ picture: Picture) -> Picture { Picture(name: picture.name, text: "\(picture.text), enhanced") }
@Sendable func watermark(_ picture: Picture) -> Picture { Picture(name: picture.name, text: "\(picture.text), marked") }

struct SaveTo: StatelessWorker, Codable {
  var folder: String

  func process(_ picture: Picture) throws -> String {
    try picture.text.write(toFile: "\(folder)/\(picture.name)", atomically: true, encoding: .utf8)
    return picture.name
  }
}

enum MpyxSnippets {
  static func before(_ originals: String, _ folder: String) throws {
    let save = SaveTo(folder: folder)
    for name in try FileManager.default.contentsOfDirectory(atPath: originals) {
      let picture = try readPicture("\(originals)/\(name)")
      let resized = resize(picture)
      let enhanced = enhance(resized)
      let watermarked = watermark(enhanced)
      _ = try save.process(watermarked)
    }
  }

  static func after(_ originals: String, _ folder: String) async throws {
    let site: Pipeline<Nothing, String> = Pipeline {
      ImageFiles(folder: originals)
      readPicture
      resize
      enhance
      watermark
      SaveTo(folder: folder)
    }
    try await site.run()
  }

  static func wider(_ originals: String, _ folder: String) async throws -> [String] {
    let site: Pipeline<Nothing, String> = Pipeline {
      ImageFiles(folder: originals)
      Parallel(3) { readPicture }
      Parallel(7) { resize }
      Parallel(3) { enhance }
      Parallel(2) { watermark }
      As(2, SaveTo(folder: folder))
    }
    print(site.layout())
    try await site.run()

    return try await site.list()
  }

  struct YourTask: Stage, Codable {
    // initialize: the arguments are the stage's properties.
    var amount = 1

    // setup: runs where the stage does, and may put.
    func setUp(_ context: StageContext, _ out: Outlet<Int>) async throws -> Int { 0 }

    // do: may put as often as it likes.
    func process(_ item: Int, state count: inout Int, _ out: Outlet<Int>) async throws {
      count += amount
      try await out.put(item)
    }

    // teardown: after the last item, and may still put.
    func tearDown(_ count: consuming Int, _ out: Outlet<Int>) async throws { try await out.put(count) }
  }

  struct Count: Source {
    var limit: Int

    // Its return is mpyx' stop().
    func produce(_ out: Outlet<Int>) async throws {
      for number in 1...limit { try await out.put(number) }
    }
  }

  struct AddX: StatelessWorker, Codable {
    var amount = 1
    func process(_ number: Int) -> Int { number + amount }
  }

  static func trivial() async throws -> [Int] {
    let trivial: Pipeline<Nothing, Int> = Pipeline {
      Count(limit: 5)
      AddX(amount: 10)
      Print()
    }
    let numbers = try await trivial.list()

    return numbers
  }

  struct Tally: Stage {
    var seen: SharedCounter

    func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws {
      seen.increment()
      try await out.put(item)
    }
  }

  static func wiring() async throws -> Int {
    let seen = try SharedCounter()
    try await Pipeline { Items(1...100) }.stage(Tally(seen: seen)).run()
    return seen.value
  }

  static func nesting() async throws -> [[Int]] {
    let serial: Pipeline<Nothing, Int> = Pipeline {
      Count(limit: 2)
      AddX(amount: 1)
      AddX(amount: 1)
    }

    let parallel: Pipeline<Nothing, Int> = Pipeline {
      Count(limit: 2)
      AnyOf {
        AddX(amount: 10)
        AddX(amount: 10)
      }
      YourTask()
    }

    let broadcast: Pipeline<Nothing, Int> = Pipeline {
      Count(limit: 2)
      Broadcast {
        AddX(amount: 10)
        Pipeline {
          AddX(amount: 100)
          AddX(amount: 100)
        }
      }
    }

    let logged: Pipeline<Nothing, Int> = Pipeline {
      serial
      Tee { LogItems() }
      As(24, AddX(amount: 1))
      By(2, AddX(amount: 1))
    }

    return [
      try await serial.list(), try await parallel.list().sorted(), try await broadcast.list(), try await logged.list(),
    ]
  }

  /// Stands for a logger.
  struct LogItems: Stage {
    func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws {}
  }

  static func running() async throws -> [Int] {
    let numbers = Pipeline { Count(limit: 5) }.map(with: AddX(amount: 5))

    try await numbers.run()
    let all = try await numbers.list()
    for try await number in numbers.outputs() { print(number) }

    let run = try numbers.start()
    try await run.wait()
    try await run.stop(.now)

    return all
  }
}
