/// Which collections of bytes travel as blocks, besides arrays.
enum ByteCollections {
  /// `type`, if it is known that its bytes are all that there is to its values.
  ///
  /// Any type may be a collection of bytes and have other properties, which only its `Codable` conformance knows. So this takes
  /// `Data` alone, which it knows by name, because this module does not import Foundation.
  static func known(_ type: Any.Type) -> (any RangeReplaceableCollection<UInt8>.Type)? {
    guard let collection = type as? any RangeReplaceableCollection<UInt8>.Type else { return nil }
    switch String(reflecting: type) {
    case "Foundation.Data", "FoundationEssentials.Data": return collection
    default: return nil
    }
  }
}
