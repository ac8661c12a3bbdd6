/// Where things lie in what Swift's compiler and runtime write of types; in bytes.
///
/// They are a part of Swift's stable ABI ("ABI/TypeMetadata.rst", "ABI/TypeLayout.rst"), and the standard library has no calls for
/// what is read here. Whoever reads by them has them as an argument, so that `RuntimeCanary` can be shown others.
struct MetadataLayout: Sendable {
  // The first word of metadata says what sort of type it is of: this is a structure, the next two are an enumeration, and an optional.
  var firstKind: UInt = 0x200

  // Of metadata, from its first word.
  var witnesses = -8
  var descriptor = 8
  var classDescriptor = 40
  var genericArguments = 16

  // Of a type descriptor. Fields that refer to something hold its distance from themselves.
  var name = 8
  var accessor = 12
  var fields = 16
  /// Cases that carry something, in the lowest 24 bits, and those that carry nothing, or something without bytes.
  var payloadCases = 20
  var emptyCases = 24

  // Of a field descriptor, which has a record for each stored property or case.
  var recordSize = 10
  var recordCount = 12
  var records = 16

  // Of such a record.
  var recordFlags = 0
  var recordType = 4
  var recordName = 8

  // Of a table of value witnesses. Enumerations have three more than other types.
  var witnessFlags = 80
  var tagWitness = 88
  var projectWitness = 96
  var injectWitness = 104

  // Of a function's metadata.
  var functionFlags = 8
  var sendableFunction: UInt = 0x4000_0000
  var asynchronousFunction: UInt = 0x2000_0000

  // Of the descriptor of a conformance, to which a table of witnesses begins with a pointer.
  var conformanceFlags = 12
  var isolatedConformance: UInt32 = 0x8_0000

  /// The standard library's keyed containers are nothing but a reference to an object.
  var keyedContainer = 8

  /// An atomic word is nothing but its word.
  var atomicWord = 8

  /// That of the toolchains that we know: Swift 5.0 to 6.3.
  static let known = MetadataLayout()
}
