import MillraceIPC
import Testing

@Suite struct BinaryContainerTests {
  struct Key: CodingKey, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    var stringValue: String
    var intValue: Int?
    init(stringValue: String) { self.stringValue = stringValue }
    init(intValue: Int) {
      stringValue = "number \(intValue)"
      self.intValue = intValue
    }
    init(stringLiteral value: String) { self.init(stringValue: value) }
    init(integerLiteral value: Int) { self.init(intValue: value) }
  }

  /// Encodes by one closure and decodes by another, so that a test shows both sides.
  func scripted(
    _ write: @escaping (any Encoder) throws -> Void, _ read: @escaping (any Decoder) throws -> Void
  ) throws {
    let bytes = try BinaryEncoder().encode(Writing(write: write))
    let decoder = BinaryDecoder(userInfo: [Reading.key: Script(read: read)])
    _ = try decoder.decode(Reading.self, from: bytes)
  }

  struct Writing: Encodable {
    var write: (any Encoder) throws -> Void
    func encode(to encoder: any Encoder) throws { try write(encoder) }
  }

  struct Script: @unchecked Sendable {
    var read: (any Decoder) throws -> Void
  }

  struct Reading: Decodable {
    static let key = CodingUserInfoKey(rawValue: "script")!
    init(from decoder: any Decoder) throws { try #require(decoder.userInfo[Self.key] as? Script).read(decoder) }
  }

  @Test func keysAreFoundInAnyOrder() throws {
    var dice = Dice(state: 2)
    let names = (0..<40).map { "key\($0 % 3 == 0 ? String(repeating: "x", count: $0 * 3) : "")\($0)" }
    try scripted { encoder in
      var container = encoder.container(keyedBy: Key.self)
      for (number, name) in names.enumerated() { try container.encode(number, forKey: Key(stringValue: name)) }
    } _: { decoder in
      let container = try decoder.container(keyedBy: Key.self)
      #expect(container.allKeys.map(\.stringValue) == names)
      for (number, name) in Array(names.enumerated()).shuffled(using: &dice) {
        let key = Key(stringValue: name)
        #expect(container.contains(key))
        #expect(try container.decodeNil(forKey: key) == false)
        #expect(try container.decode(Int.self, forKey: key) == number)
        #expect(try container.decodeIfPresent(Int.self, forKey: Key(stringValue: name + "?")) == nil)
      }
      for (number, name) in names.enumerated() {
        #expect(try container.decode(Int.self, forKey: Key(stringValue: name)) == number)
      }
      let error = #expect(throws: DecodingError.self) { try container.decode(Int.self, forKey: "none") }
      guard case .keyNotFound(let key, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(key.stringValue == "none")
    }
  }

  @Test func keysAreFoundByNumber() throws {
    struct Number: CodingKey {
      var intValue: Int?
      var stringValue: String { "other name \(intValue!)" }
      init(intValue: Int) { self.intValue = intValue }
      init?(stringValue: String) { nil }
    }
    try scripted { encoder in
      var container = encoder.container(keyedBy: Key.self)
      try container.encode("one", forKey: 1)
      try container.encode("minus", forKey: -5)
    } _: { decoder in
      let container = try decoder.container(keyedBy: Number.self)
      #expect(try container.decode(String.self, forKey: Number(intValue: -5)) == "minus")
      #expect(try container.decode(String.self, forKey: Number(intValue: 1)) == "one")
      #expect(container.allKeys.map(\.intValue) == [1, -5])
      #expect(!container.contains(Number(intValue: 2)))
    }
  }

  /// As people write them for keys that are any text.
  struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int?
    init(stringValue: String) { (self.stringValue, intValue) = (stringValue, Int(stringValue)) }
    init(intValue: Int) { (stringValue, self.intValue) = ("\(intValue)", intValue) }
  }

  @Test("U247: keys whose names are numbers are told apart by these")
  func namesThatAreNumbers() throws {
    let names = ["7", "007", "-7", "+7", "1"]
    try scripted { encoder in
      var container = encoder.container(keyedBy: AnyKey.self)
      for name in names { try container.encode(name, forKey: AnyKey(stringValue: name)) }
    } _: { decoder in
      let container = try decoder.container(keyedBy: AnyKey.self)
      for name in names.sorted() + names.reversed() {
        #expect(try container.decode(String.self, forKey: AnyKey(stringValue: name)) == name)
      }
      for name in ["01", "+1", "0007"] { #expect(!container.contains(AnyKey(stringValue: name))) }
    }
  }

  /// Leaves out what cannot be encoded.
  final class Chain: Codable {
    var name: String
    var child: Chain?
    enum CodingKeys: CodingKey { case child, name }

    init(_ name: String, _ child: Chain?) { (self.name, self.child) = (name, child) }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      name = try container.decode(String.self, forKey: .name)
      child = try container.decodeIfPresent(Chain.self, forKey: .child)
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      if let child { try? container.encode(child, forKey: .child) }
      try container.encode(name, forKey: .name)
    }
  }

  @Test("U248: of what is nested too deep nothing is left, where that is let pass")
  func tooDeepLetPass() throws {
    let chain = (0..<600).reduce(Chain("last", nil)) { Chain("\($1)", $0) }
    var decoded: Chain? = try roundTrip(chain)
    var depth = 0
    while let one = decoded {
      #expect(one.name == "\(599 - depth)")
      (decoded, depth) = (one.child, depth + 1)
    }
    #expect((100..<600).contains(depth))
  }

  @Test func nestedContainersMayBeFilledInTurns() throws {
    try scripted { encoder in
      var root = encoder.container(keyedBy: Key.self)
      var a = root.nestedContainer(keyedBy: Key.self, forKey: "a")
      var list = root.nestedUnkeyedContainer(forKey: "list")
      var deep = list.nestedContainer(keyedBy: Key.self)
      try list.encode(1)
      var later = list.nestedUnkeyedContainer()
      try list.encode("end")
      for round in 0..<50 {
        try a.encode(round, forKey: Key(stringValue: "a\(round)"))
        try later.encode("element \(round)")
        try deep.encode([round, round], forKey: Key(stringValue: "d\(round)"))
        try root.encode(round, forKey: Key(stringValue: "r\(round)"))
        var nested = deep.nestedUnkeyedContainer(forKey: Key(stringValue: "n\(round)"))
        try nested.encode(round)
        try a.encode(["x": round], forKey: Key(stringValue: "m\(round)"))
        try nested.encode("\(round)")
      }
      #expect(list.count == 4)
      #expect(later.count == 50)
      #expect(later.codingPath.map(\.stringValue) == ["list", "Index 2"])
      #expect(deep.codingPath.map(\.stringValue) == ["list", "Index 0"])
    } _: { decoder in
      let root = try decoder.container(keyedBy: Key.self)
      #expect(root.allKeys.count == 52)
      let a = try root.nestedContainer(keyedBy: Key.self, forKey: "a")
      var list = try root.nestedUnkeyedContainer(forKey: "list")
      #expect(list.count == 4)
      let deep = try list.nestedContainer(keyedBy: Key.self)
      #expect(try list.decode(Int.self) == 1)
      var later = try list.nestedUnkeyedContainer()
      #expect(try list.decode(String.self) == "end")
      #expect(list.isAtEnd)
      for round in 0..<50 {
        #expect(try a.decode(Int.self, forKey: Key(stringValue: "a\(round)")) == round)
        #expect(try later.decode(String.self) == "element \(round)")
        #expect(try deep.decode([Int].self, forKey: Key(stringValue: "d\(round)")) == [round, round])
        #expect(try root.decode(Int.self, forKey: Key(stringValue: "r\(round)")) == round)
        var nested = try deep.nestedUnkeyedContainer(forKey: Key(stringValue: "n\(round)"))
        #expect(try nested.decode(Int.self) == round)
        #expect(try nested.decode(String.self) == "\(round)")
        #expect(try a.decode([String: Int].self, forKey: Key(stringValue: "m\(round)")) == ["x": round])
      }
    }
  }

  @Test func superEncodersOfAllKinds() throws {
    try scripted { encoder in
      var root = encoder.container(keyedBy: Key.self)
      let early = root.superEncoder()
      let named = root.superEncoder(forKey: "named")
      _ = root.superEncoder(forKey: "silent")
      try root.encode(1, forKey: "one")
      var list = root.nestedUnkeyedContainer(forKey: "list")
      let inList = list.superEncoder()
      try list.encode(2)
      // Used only now, and in another order.
      var single = named.singleValueContainer()
      try single.encode("a value")
      var keyed = early.container(keyedBy: Key.self)
      try keyed.encode("in super", forKey: "s")
      var unkeyed = inList.unkeyedContainer()
      try unkeyed.encode(3)
      var again = early.container(keyedBy: Key.self)
      try again.encode("again", forKey: "t")
    } _: { decoder in
      let root = try decoder.container(keyedBy: Key.self)
      #expect(Set(root.allKeys.map(\.stringValue)) == ["super", "named", "silent", "one", "list"])
      let early = try root.superDecoder().container(keyedBy: Key.self)
      #expect(try early.decode(String.self, forKey: "s") == "in super")
      #expect(try early.decode(String.self, forKey: "t") == "again")
      #expect(try root.superDecoder(forKey: "named").singleValueContainer().decode(String.self) == "a value")
      #expect(try root.superDecoder(forKey: "silent").container(keyedBy: Key.self).allKeys.isEmpty)
      #expect(try root.superDecoder(forKey: "absent").singleValueContainer().decodeNil())
      var list = try root.nestedUnkeyedContainer(forKey: "list")
      var inList = try list.superDecoder().unkeyedContainer()
      #expect(try inList.decode(Int.self) == 3)
      #expect(try list.decode(Int.self) == 2)
    }
  }

  @Test func whatEncodesNothingIsAnEmptyContainer() throws {
    struct Empty: Codable, Equatable {}
    try expectRoundTrip(Empty())
    try scripted { _ in
    } _: { decoder in
      let keyed = try decoder.container(keyedBy: Key.self)
      #expect(keyed.allKeys.isEmpty)
      let unkeyed = try decoder.unkeyedContainer()
      #expect(unkeyed.isAtEnd)
    }
  }

  @Test func failedValuesLeaveNoTrace() throws {
    struct Failing: Encodable {
      struct Failure: Error {}
      func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode("started", forKey: "a")
        var nested = container.nestedUnkeyedContainer(forKey: "b")
        try nested.encode(1)
        throw Failure()
      }
    }
    try scripted { encoder in
      var root = encoder.container(keyedBy: Key.self)
      try root.encode(1, forKey: "one")
      #expect(throws: Failing.Failure.self) { try root.encode(Failing(), forKey: "bad") }
      #expect(throws: Failing.Failure.self) { try root.encode([Failing()], forKey: "bad list") }
      #expect(throws: Failing.Failure.self) { try root.encodeIfPresent(Optional(Optional(Failing())), forKey: "bad?") }
      try root.encode(2, forKey: "two")
      var list = root.nestedUnkeyedContainer(forKey: "list")
      #expect(throws: Failing.Failure.self) { try list.encode(Failing()) }
      try list.encode(3)
    } _: { decoder in
      let root = try decoder.container(keyedBy: Key.self)
      #expect(root.allKeys.map(\.stringValue) == ["one", "two", "list"])
      #expect(try root.decode([Int].self, forKey: "list") == [3])
    }
    var writer = ByteWriter()
    try BinaryEncoder().encode("before", into: &writer)
    let count = writer.count
    #expect(throws: Failing.Failure.self) { try BinaryEncoder().encode(["x": Failing()], into: &writer) }
    #expect(writer.count == count)
  }

  @Test func misuseIsAnErrorAndNoTrap() throws {
    func expectMisuse(_ write: @escaping (any Encoder) throws -> Void) {
      #expect(throws: EncodingError.self) { try BinaryEncoder().encode(Writing(write: write)) }
    }
    expectMisuse { encoder in
      var container = encoder.singleValueContainer()
      try container.encode(1)
      try container.encode(2)
    }
    expectMisuse { encoder in
      _ = encoder.unkeyedContainer()
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(1, forKey: "a")
    }
    expectMisuse { encoder in
      _ = encoder.unkeyedContainer()
      _ = encoder.container(keyedBy: Key.self).codingPath
    }
    expectMisuse { encoder in
      var list = encoder.unkeyedContainer()
      var kept: (any UnkeyedEncodingContainer)?
      try list.encode(Writing { kept = $0.unkeyedContainer() })
      try list.encode(1)
      try kept?.encode("too late")
    }
    var kept: (any UnkeyedEncodingContainer)?
    _ = try BinaryEncoder().encode(Writing { kept = $0.unkeyedContainer() })
    #expect(throws: EncodingError.self) { try kept?.encode(1) }
    #expect(kept?.codingPath.isEmpty == true)
  }

  @Test func decodersKeptTooLongThrow() throws {
    var kept: (any UnkeyedDecodingContainer)?
    let decoder = BinaryDecoder(userInfo: [Reading.key: Script { kept = try $0.unkeyedContainer() }])
    _ = try decoder.decode(Reading.self, from: BinaryEncoder().encode(["a", "b"]))
    #expect(throws: (any Error).self) { try kept?.decode(String.self) }
    #expect(throws: (any Error).self) { try kept?.decode([Int].self) }
  }

  @Test func codingPathsInErrors() throws {
    struct Leaf: Codable { var value: Int }
    struct Branch: Codable { var leaves: [String: [Leaf]] }
    struct OtherLeaf: Codable { var value: String }
    struct OtherBranch: Codable { var leaves: [String: [OtherLeaf]] }
    let bytes = try BinaryEncoder().encode(["x": Branch(leaves: ["y": [Leaf(value: 1), Leaf(value: 2)]])])
    let error = #expect(throws: DecodingError.self) {
      try BinaryDecoder().decode([String: OtherBranch].self, from: bytes)
    }
    guard case .typeMismatch(let type, let context) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(ObjectIdentifier(type) == ObjectIdentifier(String.self))
    #expect(context.codingPath.map(\.stringValue) == ["x", "leaves", "y", "Index 0", "value"])
    #expect(context.codingPath[3].intValue == 0)

    struct Bad: Encodable {
      func encode(to encoder: any Encoder) throws {
        #expect(encoder.codingPath.map(\.stringValue) == ["a", "Index 1"])
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(1, forKey: "first")
        let nested = container.nestedUnkeyedContainer(forKey: "second")
        #expect(nested.codingPath.map(\.stringValue) == ["a", "Index 1", "second"])
        #expect(container.codingPath.map(\.stringValue) == ["a", "Index 1"])
      }
    }
    struct Good: Encodable {
      func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("good")
      }
    }
    struct Either: Encodable {
      var bad: Bool
      func encode(to encoder: any Encoder) throws { try bad ? Bad().encode(to: encoder) : Good().encode(to: encoder) }
    }
    _ = try BinaryEncoder().encode(["a": [Either(bad: false), Either(bad: true)]])
  }

  @Test func pathsOnTheDecodingSide() throws {
    try scripted { encoder in
      var root = encoder.container(keyedBy: Key.self)
      try root.encode(0, forKey: "zero")
      var list = root.nestedUnkeyedContainer(forKey: "list")
      try list.encode(0)
      var inner = list.superEncoder().container(keyedBy: Key.self)
      try inner.encode([1, 2], forKey: 4)
    } _: { decoder in
      #expect(decoder.codingPath.isEmpty)
      let root = try decoder.container(keyedBy: Key.self)
      #expect(root.codingPath.isEmpty)
      var list = try root.nestedUnkeyedContainer(forKey: "list")
      #expect(list.codingPath.map(\.stringValue) == ["list"])
      #expect(try list.decode(Int.self) == 0)
      let inner = try list.superDecoder()
      #expect(inner.codingPath.map(\.stringValue) == ["list", "Index 1"])
      let keyed = try inner.container(keyedBy: Key.self)
      #expect(keyed.codingPath.map(\.stringValue) == ["list", "Index 1"])
      var numbers = try keyed.nestedUnkeyedContainer(forKey: 4)
      #expect(numbers.codingPath.map(\.intValue) == [nil, 1, 4])
      _ = try numbers.decode(Int.self)
      let number = try numbers.superDecoder()
      #expect(number.codingPath.map(\.intValue) == [nil, 1, 4, 1])
      #expect(try number.singleValueContainer().decode(Int.self) == 2)
      let error = #expect(throws: DecodingError.self) { try numbers.decode(Int.self) }
      guard case .valueNotFound(_, let context) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(context.codingPath.map(\.intValue) == [nil, 1, 4, 2])
    }
  }

  @Test func userInfoReachesBothSides() throws {
    let key = CodingUserInfoKey(rawValue: "test")!
    struct Informed: Codable {
      init() {}
      init(from decoder: any Decoder) throws {
        #expect(decoder.userInfo[CodingUserInfoKey(rawValue: "test")!] as? Int == 7)
      }
      func encode(to encoder: any Encoder) throws {
        #expect(encoder.userInfo[CodingUserInfoKey(rawValue: "test")!] as? Int == 7)
      }
    }
    let bytes = try BinaryEncoder(userInfo: [key: 7]).encode(Informed())
    _ = try BinaryDecoder(userInfo: [key: 7]).decode(Informed.self, from: bytes)
  }
}
