import MillraceIPC
import Testing

private class Shape: Codable, @unchecked Sendable {
  var name = "shape"
  init() {}
}

/// Has no coding of its own, so nothing of it would travel.
private final class Silent: Shape, @unchecked Sendable { var area = 4.0 }

private final class Circle: Shape, @unchecked Sendable {
  var radius = 2.0
  override init() { super.init() }

  private enum Keys: CodingKey { case radius, base }

  required init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    radius = try container.decode(Double.self, forKey: .radius)
    try super.init(from: container.superDecoder(forKey: .base))
  }

  override func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Keys.self)
    try container.encode(radius, forKey: .radius)
    try super.encode(to: container.superEncoder(forKey: .base))
  }
}

private struct Drawing: Codable { var title = "title", shape: Shape, more: Shape? = nil }
private struct Plain { var count = 1, shape: Shape, text = "text" }
private enum Figure { case one(Shape), none }

/// Knows what comes: the usual way to send a hierarchy by `Codable`.
private struct Known: Codable {
  var shapes: [Shape]

  private enum Keys: CodingKey { case shapes }
  private enum Peek: CodingKey { case radius, base }

  init(_ shapes: [Shape]) { self.shapes = shapes }

  init(from decoder: any Decoder) throws {
    var places = try decoder.container(keyedBy: Keys.self).nestedUnkeyedContainer(forKey: .shapes)
    var values = places
    shapes = []
    while !places.isAtEnd {
      let isCircle = try places.nestedContainer(keyedBy: Peek.self).contains(.radius)
      shapes.append(try isCircle ? values.decode(Circle.self) : values.decode(Shape.self))
    }
  }
}

/// Makes the classes again by itself, whatever it was told to be.
private class Animal: Codable, Reviving, @unchecked Sendable {
  var kind: String { "animal" }
  required init() {}
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(kind)
  }
}
private final class Cat: Animal, @unchecked Sendable { override var kind: String { "cat" } }

private protocol Reviving { init() }
extension Reviving {
  init(from decoder: any Decoder) throws {
    let kind = try decoder.singleValueContainer().decode(String.self)
    self = (kind == "cat" ? Cat() : Animal()) as! Self
  }
}

@Suite struct ObjectTests {
  private func sent<V>(_ value: V) throws -> V {
    let coding = try Payload.coding(for: V.self)
    var writer = ByteWriter()
    try coding.encode(value, into: &writer)
    return try coding.decode(from: writer.bytes)
  }

  private func refusal<V>(of value: V, sourceLocation: SourceLocation = #_sourceLocation) throws
    -> DecodingError.Context
  {
    let error = try #require(throws: DecodingError.self, sourceLocation: sourceLocation) { try sent(value) }
    guard case .typeMismatch(_, let context) = error else {
      Issue.record(error, sourceLocation: sourceLocation)
      throw error
    }
    return context
  }

  @Test("U24: an object that would arrive as its superclass is refused, wherever it is", arguments: [true, false])
  func sliced(isSilent: Bool) throws {
    let other: Shape = isSilent ? Silent() : Circle()
    func check<V>(_ value: V, _ path: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let context = try refusal(of: value, sourceLocation: sourceLocation)
      let text = context.debugDescription
      #expect(text.contains("Shape") && text.contains(isSilent ? "Silent" : "Circle"), sourceLocation: sourceLocation)
      #expect(text.contains("enumeration"), sourceLocation: sourceLocation)
      #expect(context.codingPath.map(\.stringValue).joined(separator: ".") == path, sourceLocation: sourceLocation)
    }
    try check(other, "")
    try check([Shape(), other], "Index 1")
    try check(["a": other], "a")
    try check(Optional(other), "")
    try check([[nil, other]], "Index 0.Index 1")
    try check(Drawing(shape: other), "shape")
    try check([Drawing(shape: Shape()), Drawing(shape: Shape(), more: other)], "Index 1.more")
    try check(Figure.one(other), "")
    try check((1, other), "")
    try check((1, [other]), "Index 0")
    try check(Plain(shape: other), "")
  }

  @Test("U24: an object of the class that is declared arrives as it was")
  func whole() throws {
    let circle = Circle()
    circle.radius = 3
    circle.name = "circle"
    let arrived = try sent([circle, circle])
    #expect(arrived.map(\.radius) == [3, 3] && arrived[1].name == "circle")
    #expect(try sent(Drawing(shape: Shape())).shape.name == "shape")
    let silent: [Shape] = try sent([Shape(), Shape()])
    #expect(silent.count == 2)
  }

  @Test("U24: a coding that makes the classes again is left alone")
  func known() throws {
    let shapes = try sent(Known([Shape(), Circle(), Shape(), Circle()])).shapes
    #expect(shapes.map { $0 is Circle } == [false, true, false, true])
    #expect(try sent([Animal(), Cat()]).map(\.kind) == ["animal", "cat"])
    #expect(try sent(["x": Cat() as Animal?])["x"]??.kind == "cat")
  }

  @Test("U24: objects that fail to encode leave nothing behind, and tell where they are")
  func failing() throws {
    final class Failing: Shape, @unchecked Sendable {
      override func encode(to encoder: any Encoder) throws {
        throw EncodingError.invalidValue(1, .init(codingPath: encoder.codingPath, debugDescription: "no"))
      }
    }
    let error = try #require(throws: EncodingError.self) { try BinaryEncoder().encode([Shape(), Failing()]) }
    guard case .invalidValue(_, let context) = error else { return }
    #expect(context.codingPath.map(\.intValue) == [1])
    var writer = ByteWriter()
    #expect(throws: EncodingError.self) { try BinaryEncoder().encode(["a": Failing() as Shape], into: &writer) }
    #expect(writer.count == 0)
  }

  @Test("U24: Codable objects are properties like others, of what is not Codable itself")
  func properties() throws {
    final class Note: Codable {
      var text: String
      init(_ text: String) { self.text = text }
    }
    struct Holder { var count = 1, note: Note, more: Note?, inner: Inner, text = "text" }
    struct Inner { var byte: UInt8 = 7, note: Note? }
    struct Passed: MemberwiseTransport, Codable { var note: Note }
    let value = Holder(note: Note("a"), more: nil, inner: Inner(note: Note("b")))
    let arrived = try sent([value, value])[1]
    #expect(arrived.count == 1 && arrived.text == "text" && arrived.inner.byte == 7)
    #expect(arrived.note.text == "a" && arrived.more == nil && arrived.inner.note?.text == "b")
    #expect(try sent(Passed(note: Note("c"))).note.text == "c")
  }

  @Test("U24: what is weak or unowned is refused by name, and so are classes that are not Codable")
  func references() {
    final class Note: Codable {}
    final class Lock {}
    struct Weak { weak var note: Note? }
    struct Unowned { var count = 1; unowned var note: Note }
    struct Unmanaging { unowned(unsafe) var note: Note? }
    struct Generic<T: AnyObject> { var count = 1; weak var note: T? }
    struct Locked { var name = "", locks: (Int, Lock?) }
    func obstacle<V>(_ type: V.Type) -> String {
      let error = #expect(throws: PayloadError.self) { try Payload.coding(for: type) }
      return error?.description ?? ""
    }
    for text in [
      obstacle(Weak.self), obstacle(Unowned.self), obstacle(Unmanaging.self), obstacle(Generic<Note>.self),
      obstacle([Weak].self), obstacle((Int, Unowned).self),
    ] {
      #expect(text.contains("note, of type") && text.contains("is a class behind a weak or unowned reference"))
    }
    #expect(
      obstacle(Locked.self).contains("its property locks.1, of type") && obstacle(Locked.self).contains("is a class."))
  }
}
