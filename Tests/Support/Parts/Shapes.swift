import Millrace

/// A value as programs send them.
protocol Shape: Codable {
  /// Something that is known only once the value is there.
  var weight: Int { get }
}

extension Int: Shape {
  var weight: Int { self }
}

extension String: Shape {
  var weight: Int { utf8.count }
}

extension Array: Shape where Element: Codable {
  var weight: Int { count }
}

extension Dictionary: Shape where Key == String, Value == Int {
  var weight: Int { count }
}

/// Five fields.
struct Reading: Shape, Sendable {
  var number = 17
  var station = "station 42, in the north"
  var time = 0.125
  var level: Float = 3
  var isValid = true

  var weight: Int { number }
}

/// Five fields that travel as they are.
struct PlainReading: Shape, Sendable, MemberwiseTransport {
  var number = 17
  var station = "station 42, in the north"
  var time = 0.125
  var level: Float = 3
  var isValid = true

  var weight: Int { number }
}

/// A structure in an array in a structure.
struct Report: Shape, Sendable {
  struct Place: Codable, Sendable {
    var name = "by the river, left bank"
    var height = 812.5
  }
  var title = "of the second of May"
  var place = Place()
  var readings = [Reading(), Reading()]

  var weight: Int { readings.count }
}

/// An enumeration whose cases carry something.
enum Event: Shape, Sendable {
  case started
  case moved(x: Double, y: Double)
  case failed(reason: String, code: Int)

  var weight: Int { if case .failed(_, let code) = self { code } else { 0 } }
}

/// Fields that are there or not.
struct Person: Shape, Sendable {
  var name: String? = "Ada Lovelace, of London"
  var age: Int? = 36
  var email: String?
  var height: Double?

  var weight: Int { age ?? 0 }
}
