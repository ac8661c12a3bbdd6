/// An error that arrives as itself though it is not `Codable`: what it is made of travels as values do, errors among them.
package protocol TravellingError: Error {
  /// What travels in its place.
  associatedtype Form = Self
  var form: Form { get }
  init(form: Form)

  /// What comes in place of errors in it that do not travel.
  static var standIn: any ErrorStandIn.Type { get }
}

extension TravellingError where Form == Self {
  package var form: Self { self }
  package init(form: Self) { self = form }
}

extension TravellingError {
  /// Nil where it cannot travel, or lies so deep in others that there is no room for another level.
  var travelling: [UInt8]? {
    var stack = StackGuard()
    guard stack.hasRoom(at: .max), let coding = try? Payload.coding(for: Form.self, standIn: Self.standIn) else {
      return nil
    }
    var writer = ByteWriter()
    do { try coding.encode(form, into: &writer) } catch { return nil }
    return [UInt8](writer.bytes)
  }

  init?(travelling bytes: [UInt8]) {
    var stack = StackGuard()
    guard stack.hasRoom(at: .max), let coding = try? Payload.coding(for: Form.self, standIn: Self.standIn),
      let form = try? bytes.withUnsafeBytes({ try coding.decode(from: $0) })
    else { return nil }
    self.init(form: form)
  }
}
