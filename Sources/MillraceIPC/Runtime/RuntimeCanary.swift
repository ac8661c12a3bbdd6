internal import CMillrace
internal import Synchronization

/// What is known of the runtime's layout, tried on types of our own of which the answer is known.
///
/// A toolchain that lays something out otherwise would have values misread, in silence. So it is asked once, before the first value
/// travels, and what does not fit is said by name, to whoever wanted to send one.
enum RuntimeCanary: String, CaseIterable {
  case kinds = "kinds of types"
  case fields = "stored properties and cases in the executable"
  case properties = "stored properties in memory"
  case cases = "cases of enumerations"
  case boxes = "boxes of indirect cases"
  case descriptors = "type descriptors"
  case containers = "keyed containers"
  case atomics = "atomic words"
  case functions = "types of functions"

  /// What stands in the way of every value; nil on a toolchain that we know.
  static let problem: String? = problem(of: .known)

  static func problem(of layout: MetadataLayout) -> String? {
    guard let canary = allCases.first(where: { !$0.fits(layout) }) else { return nil }
    return "this version of Swift has another layout of \(canary.rawValue) than Millrace knows; update Millrace"
  }

  /// Whether it is as the layout has it.
  ///
  /// The order of the cases is that in which they rely on each other.
  func fits(_ layout: MetadataLayout) -> Bool {
    switch self {
    case .kinds: Self.kindsFit(layout)
    case .fields: Self.fieldsFit(layout)
    case .properties: Self.propertiesFit(layout)
    case .cases: Self.casesFit(layout)
    case .boxes: Self.boxesFit(layout)
    case .descriptors: Self.descriptorsFit(layout)
    case .containers: Self.containersFit(layout)
    case .atomics: Self.atomicsFit(layout)
    case .functions: Self.functionsFit(layout)
    }
  }

  private static func kindsFit(_ layout: MetadataLayout) -> Bool {
    let known: [(Any.Type, TypeKind)] = [
      (Layer.self, .structure), (Choice.self, .enumeration), (Int?.self, .optional), ((Int, String).self, .tuple),
      (Object.self, .class), (Any.self, .existential), ((any Error).self, .existential), (Int.Type.self, .metatype),
      ((() -> Void).self, .function),
    ]
    return known.allSatisfy { TypeKind($0, layout) == $1 }
  }

  // Who compiles without what reflection needs has no records, and nothing that could be misread.

  private static func fieldsFit(_ layout: MetadataLayout) -> Bool {
    guard let fields = FieldRecords(of: Layer.self, layout), let cases = FieldRecords(of: Choice.self, layout) else {
      return !hasRecords
    }
    guard fields.all.map(\.name) == ["number", "text", "object"],
      cases.all.map(\.name) == ["carrying", "boxed", "plain"]
    else { return false }
    return fields.all.map(\.isBorrowed) == [false, false, true] && fields.all[0].type == Int32.self
      && fields.all[1].type == String.self && cases.all.map(\.isIndirect) == [false, true, false]
      && cases.all.map(\.hasType) == [true, true, false] && cases.all[0].type == Int64.self
  }

  private static var hasRecords: Bool { !Mirror(reflecting: Layer(number: 0, text: "")).children.isEmpty }

  private static func propertiesFit(_ layout: MetadataLayout) -> Bool {
    guard let properties = StoredProperty.all(of: Layer.self, layout) else { return !hasRecords }
    let offsets = [MemoryLayout<Layer>.offset(of: \.number), MemoryLayout<Layer>.offset(of: \.text)]
    return properties.map(\.name) == ["number", "text", "object"] && properties.prefix(2).map(\.offset) == offsets
      && properties[0].type == Int32.self && properties[1].type == String.self
  }

  private static func casesFit(_ layout: MetadataLayout) -> Bool {
    guard let cases = EnumCases(of: Choice.self, layout) else { return !hasRecords }
    guard cases.all.count == 3 else { return false }
    for (tag, value) in [Choice.carrying(7), .boxed(8), .plain].enumerated() {
      var copy = value
      guard withUnsafeMutablePointer(to: &copy, { cases.tag(of: $0) == tag }) else { return false }
    }
    // Taken apart, and put together again.
    return withUnsafeTemporaryAllocation(of: Choice.self, capacity: 1) { place in
      guard let place = place.baseAddress else { return false }
      place.initialize(to: .carrying(7))
      cases.project(place)
      guard UnsafeRawPointer(place).load(as: Int64.self) == 7 else { return false }
      UnsafeMutableRawPointer(place).storeBytes(of: 9, as: Int64.self)
      cases.inject(0, place)
      guard case .carrying(9) = place.move() else { return false }
      return true
    }
  }

  private static func boxesFit(_ layout: MetadataLayout) -> Bool {
    guard let cases = EnumCases(of: Choice.self, layout) else { return !hasRecords }
    return withUnsafeTemporaryAllocation(of: Choice.self, capacity: 1) { place in
      guard let place = place.baseAddress else { return false }
      let box = millrace_box_make(unsafeBitCast(Int64.self as Any.Type, to: UnsafeRawPointer.self))
      box.place.storeBytes(of: 5, as: Int64.self)
      UnsafeMutableRawPointer(place).storeBytes(of: box.object, as: UnsafeMutableRawPointer.self)
      cases.inject(1, place)
      guard case .boxed(5) = place.pointee else { return false }
      cases.project(place)
      let inside = millrace_box_place(UnsafeRawPointer(place).load(as: UnsafeMutableRawPointer?.self))
      let isRight = inside?.load(as: Int64.self) == 5
      cases.inject(1, place)
      place.deinitialize(count: 1)
      return isRight
    }
  }

  private static func descriptorsFit(_ layout: MetadataLayout) -> Bool {
    #if os(Linux)
    let known: [(Any.Type, String)] = [(Layer.self, "Layer"), (Choice.self, "Choice"), (Object.self, "Object")]
    return known.allSatisfy { type, name in
      guard let offset = TypeDescriptors.offset(of: type, layout) else {
        // In a shared library, it is not found in this way.
        return TypeDescriptors.isEmpty || !TypeDescriptors.isInImage(type)
      }
      return TypeDescriptors.name(at: offset, layout) == name && TypeDescriptors.type(at: offset, layout) == type
    }
    #else
    return true
    #endif
  }

  private static func containersFit(_ layout: MetadataLayout) -> Bool {
    guard MemoryLayout<KeyedEncodingContainer<Layer.Keys>>.size == layout.keyedContainer,
      MemoryLayout<KeyedDecodingContainer<Layer.Keys>>.size == layout.keyedContainer
    else { return false }
    let container = EncodingState(maximumDepth: 1).container(keyedBy: Layer.Keys.self, .dead)
    // A standard library without what reflection needs does not show what is in it.
    guard let object = Mirror(reflecting: container).children.first?.value else { return true }
    guard type(of: object) is AnyClass else { return false }
    return unsafeBitCast(container, to: AnyObject.self) === object as AnyObject
  }

  private static func atomicsFit(_ layout: MetadataLayout) -> Bool {
    guard MemoryLayout<Atomic<UInt64>>.size == layout.atomicWord,
      MemoryLayout<Atomic<UInt64>>.alignment == MemoryLayout<UInt64>.alignment
    else { return false }
    var word: UInt64 = 3
    return withUnsafeMutablePointer(to: &word) { word in
      let atomic = UnsafeRawPointer(word).assumingMemoryBound(to: Atomic<UInt64>.self)
      return atomic.pointee.add(4, ordering: .relaxed).newValue == 7 && word.pointee == 7
    }
  }

  private static func functionsFit(_ layout: MetadataLayout) -> Bool {
    let known: [(Any.Type, Bool)] = [
      ((() -> Void).self, false), (((Int) -> Int).self, false), (((Int, String) throws -> Int).self, false),
      ((@Sendable () -> Void).self, true), ((@Sendable (Int, String) throws -> Int).self, true),
      (((Int) async -> Int).self, true),
    ]
    return known.allSatisfy { ActorCode.isFree($0, layout) == $1 }
  }
}

private final class Object {}

private struct Layer {
  enum Keys: CodingKey { case number }

  var number: Int32
  var text: String
  weak var object: Object?
}

private enum Choice {
  case carrying(Int64)
  indirect case boxed(Int64)
  case plain
}
