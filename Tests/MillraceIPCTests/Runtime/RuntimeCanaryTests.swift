import MillraceTesting
import Testing

@testable import MillraceIPC

/// What is known of the runtime's layout is tried before anything relies on it.
@Suite struct RuntimeCanaryTests {
  @Test("Every canary is content with the toolchain that runs the tests", arguments: RuntimeCanary.allCases)
  func known(canary: RuntimeCanary) {
    #expect(canary.fits(.known))
    #expect(RuntimeCanary.problem == nil)
  }

  /// Layouts of which one number is wrong, and who notices.
  private static let wrong: [(RuntimeCanary, @Sendable (inout MetadataLayout) -> Void)] = [
    (.kinds, { $0.firstKind = 0x201 }), (.kinds, { $0.firstKind = 0x400 }),
    (.fields, { $0.recordName = 4 }), (.fields, { $0.recordName = 0 }), (.fields, { $0.recordType = 8 }),
    (.fields, { $0.recordFlags = 4 }), (.fields, { $0.records = 28 }),
    (.fields, { $0.fields = 12 }), (.fields, { $0.fields = 8 }),
    (.cases, { $0.payloadCases = 24 }), (.cases, { $0.emptyCases = 20 }), (.cases, { $0.witnessFlags = 64 }),
    (.cases, { $0.tagWitness = 96 }),
    (.descriptors, { $0.name = 12 }), (.descriptors, { $0.name = 4 }),
    (.containers, { $0.keyedContainer = 16 }), (.atomics, { $0.atomicWord = 16 }),
    (.functions, { $0.functionFlags = 16 }), (.functions, { $0.sendableFunction = 0x400_0000 }),
    (.functions, { $0.asynchronousFunction = 0x100_0000 }),
  ]

  @Test(
    "A layout of which one number is wrong is noticed, by name",
    .disabled(if: AddressSanitizer.isOn, "who takes a number for another reads beside what is there"),
    arguments: wrong.indices)
  func wrongNumber(index: Int) throws {
    let (canary, spoil) = Self.wrong[index]
    var layout = MetadataLayout.known
    spoil(&layout)
    #expect(!canary.fits(layout))
    let problem = try #require(RuntimeCanary.problem(of: layout))
    #expect(problem.contains("this version of Swift has another layout of "))
    #expect(problem.contains(canary.rawValue), "\(problem)")
  }

  @Test("A number that is wrong for stored properties is noticed where their records are read")
  func wrongProperties() {
    var layout = MetadataLayout.known
    layout.fields = 20
    #expect(!RuntimeCanary.properties.fits(layout))
  }

  @Test("What refers to a place where nothing lies refers to nothing")
  func unreadablePlace() throws {
    let place = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
    defer { place.deallocate() }
    place.storeBytes(of: 0, as: Int32.self)
    #expect(relative(place) == nil)
    place.storeBytes(of: 4, as: Int32.self)
    #expect(relative(place) == UnsafeRawPointer(place) + 4)
    #expect(relative(try #require(UnsafeRawPointer(bitPattern: 8))) == nil)
  }

  private enum Nothing: Error { case found, readable, allowed }
  private struct Empty: Error {}
  private enum Telling: Error { case text(String), nothing }

  @Test("Simple errors go by the number of their case, whatever lies in memory")
  func simpleErrors() throws {
    for (number, error) in [Nothing.found, .readable, .allowed].enumerated() {
      let bytes = try #require(PlainError.bytes(of: error))
      #expect(bytes == [UInt8(number), 0, 0, 0])
      #expect(PlainError.error(Nothing.self, bytes: bytes) as? Nothing == error)
    }
    #expect(PlainError.error(Nothing.self, bytes: [3, 0, 0, 0]) == nil)
    #expect(PlainError.error(Nothing.self, bytes: [1]) == nil)
    #expect(PlainError.bytes(of: Empty()) == [])
    #expect(PlainError.error(Empty.self, bytes: []) is Empty)
    #expect(PlainError.error(Empty.self, bytes: [0]) == nil)
    #expect(PlainError.bytes(of: Telling.nothing) == nil)
    #expect(PlainError.error(Telling.self, bytes: [1, 0, 0, 0]) == nil)
  }
}
