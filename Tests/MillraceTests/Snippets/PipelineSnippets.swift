import Millrace

// What "Pipelines" shows.

struct Image: Codable {
  var name: String
  var width = 1_600

  init(reading name: String) throws { self.name = name }

  func resized(to width: Int) throws -> Image {
    var image = self
    image.width = width
    return image
  }
}

struct Resize: StatelessWorker, Codable {
  var width: Int
  func process(_ image: Image) throws -> Image { try image.resized(to: width) }
}

struct Pairs: Stage, Codable {
  func setUp(_ context: StageContext, _ out: Outlet<[Int]>) -> [Int] { [] }

  func process(_ item: Int, state kept: inout [Int], _ out: Outlet<[Int]>) async throws {
    kept.append(item)
    guard kept.count == 2 else { return }
    try await out.put(kept)
    kept = []
  }

  func tearDown(_ kept: consuming [Int], _ out: Outlet<[Int]>) async throws {
    if !kept.isEmpty { try await out.put(kept) }
  }
}

struct Risky: StatelessWorker, Codable {
  struct Refused: Error, Codable, Equatable {}

  func process(_ item: Int) throws -> Int {
    if item == 7 { throw Refused() }
    return item
  }
}

private struct Prepare: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item * 2 }
}

private struct Careful: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item / 2 }
}

enum FileName: MetaKey { typealias Value = String }

struct PictureFiles: Source {
  static let setsMeta = true
  var names: [String]

  func produce(_ out: Outlet<Image>) async throws {
    for name in names { try await out.put(try Image(reading: name)) { $0[FileName.self] = name } }
  }
}

struct Checked: StatelessWorker, Codable {
  var log: SideChannel<String>

  func process(_ item: Int) async throws -> Int {
    try await log.put("checked \(item)")
    return item
  }
}

struct LogWriter: Stage {
  func process(_ line: String, state: inout Void, _ out: Outlet<Void>) {}
}

enum PipelineSnippets {
  static func beside(_ photos: [String]) async throws -> ([String], [Int]) {
    let named: Pipeline<Nothing, String> = Pipeline {
      PictureFiles(names: photos)
      Parallel(3) { Resize(width: 800) }
      Map { (image: Image) in "\(Meta.current[FileName.self] ?? ""): \(image.width)" }
    }

    let log = SideChannel<String>("log") { Pipeline<String, Void> { LogWriter() } }

    let checked = Pipeline<Int, Int> { Checked(log: log) }.using(log)
    let numbers = try await checked.list(of: 1...10)

    return (try await named.list(), numbers)
  }

  static func site(_ photos: [String], _ print: (String) -> Void) async throws {
    let site: Pipeline<Nothing, Image> = Pipeline {
      Items(photos)
      Map { (photo: String) in try Image(reading: photo) }
      Parallel(3, on: .processes()) { Resize(width: 800) }
      Filter { (image: Image) in image.width == 800 }
    }

    for try await image in site.outputs() { print(image.name) }
  }

  static func forms() async throws -> (degrees: [Double], pairs: [String], picture: String) {
    let degrees = Pipeline { Items([0.0, 90.0, 180.0]) }.map { $0 * .pi / 180 }.map { $0 * 180 / .pi }

    let leet = Pipeline<String, String>.graph { words in
      let upper = words.map { $0.uppercased() }
      let left = upper.map { $0.replacing("E", with: "3") }
      let right = upper.map { $0.replacing("O", with: "0") }
      return zip(left, right).map { "\($0),\($1)" }
    }
    let pairs = try await leet.list(of: ["hello", "world"])

    return (try await degrees.list(), pairs, leet.layoutSVG())
  }

  static func builtIns(_ log: String) async throws -> [[String]] {
    let errors: Pipeline<Nothing, [String]> = Pipeline {
      Read(log)
      Filter { (line: String) in line.contains("error") }
      Write(log + ".errors")
      Take(100)
      Batched(bytes: 1 << 20)
    }

    return try await errors.list()
  }

  static func options() async throws -> [Int] {
    let careful = Pipeline<Int, Int> { Risky() }
      .options(StageOptions(name: "careful", on: .processes(2), onFailure: .skip, retry: .upTo(2)))

    return try await careful.list(of: 1...10)
  }

  static func shown() async throws -> ([[Int]], [(Int, Int)]) {
    let shown: Pipeline<Nothing, [Int]> = Pipeline {
      Items(1...5)
      AnyOf {
        Print("A ")
        Print("B ")
      }
      Broadcast {
        Print("C ")
        Risky()
      }
      Parallel(2) {
        Stamp()
        Risky()
      }
      Serial {
        Throttle(1_000, per: .seconds(1))
        Batched(2)
      }
    }

    let rows: Pipeline<Nothing, (Int, Int)> = Pipeline {
      Items(1...5)
      Zip {
        Pipeline<Int, Int> { Print("A ") }
        Print("B ")
      }
    }

    return (try await shown.list(order: .completion), try await rows.list())
  }

  static func fork(_ lines: [String]) async throws -> Int {
    let fork = ForkedPipeline<String, String, Int>.graph { lines in
      let trimmed = lines.filter { !$0.isEmpty }
      return (trimmed.filter { $0.hasPrefix("error") }, trimmed.map { $0.count })
    }

    let (errors, lengths) = fork.outputs(of: lines)
    async let longest = lengths.reduce(0, max)
    for try await error in errors { print(error) }
    let length = try await longest

    return length
  }

  static func narrow() -> String {
    let narrow = Pipeline {
      Items(1...1_000_000)
      Filter { (item: Int) in item % 3 > 0 }
      Batched(10)
    }.map { $0.count }.options(StageOptions(window: .items(20)))
    print(narrow.layout())

    return narrow.layout()
  }

  static func lengths(_ photos: [String]) async throws -> [Int] {
    let lengths: Pipeline<Nothing, Int> = Pipeline {
      Items(photos)
      Parallel(3) {
        { (photo: String) in photo.count }
      }
    }

    return try await lengths.list()
  }

  static func balanced() async throws -> [Int] {
    let balanced = Pipeline<Nothing, Int> {
      Items(1...1_000)
      Parallel(2) { Prepare() }
      Parallel(2, on: .processes()) { Careful() }
    }.balanced(cpus: 4)

    return try await balanced.list()
  }

  static func failure(_ print: (Int, String, ItemFailure.Cause) -> Void) async throws {
    do {
      try await Pipeline { Items(1...10) }.map(with: Risky()).run()
    } catch let failure as ItemFailure {
      print(failure.index, failure.stage?.name ?? "", failure.cause)
    }
  }
}
