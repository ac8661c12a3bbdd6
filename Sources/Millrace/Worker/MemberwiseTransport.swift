public import MillraceIPC

/// A structure whose values travel to worker processes and back stored property by stored property.
///
/// A `Codable` type travels through its own `encode(to:)` and `init(from:)`, which take far longer than the bytes that they write. A
/// structure that adopts this protocol too says that its stored properties are all that there is to a value. They are copied as
/// they are, and `Codable` is not asked: what `encode(to:)` would leave out is sent, and what `init(from:)` would check is not
/// checked.
///
/// ```swift
/// struct Reading: Codable, MemberwiseTransport {
///   var number: Int
///   var station: String
///   var levels: [Float]
/// }
/// ```
///
/// Tuples, and structures that are not `Codable`, travel in this way without saying so, and so do optionals and arrays of them. Each
/// stored property has to be a value that can travel by itself. Classes are refused, whether `Codable` or not, and so are
/// enumerations that adopt this protocol: ``WorkerPoolError/Kind-swift.enum/notTransportable`` says which property it is.
public typealias MemberwiseTransport = MillraceIPC.MemberwiseTransport
