/// A key of a coding path: a name, a number, or both.
struct PathKey: CodingKey {
  var stringValue: String
  var intValue: Int?

  static let superKey = PathKey(stringValue: "super", intValue: nil)

  init(stringValue: String, intValue: Int?) {
    self.stringValue = stringValue
    self.intValue = intValue
  }

  init(stringValue: String) { self.init(stringValue: stringValue, intValue: nil) }

  init(intValue: Int) { self.init(stringValue: "\(intValue)", intValue: intValue) }

  init(index: Int) { self.init(stringValue: "Index \(index)", intValue: index) }
}
