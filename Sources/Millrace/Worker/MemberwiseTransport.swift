public import MillraceIPC

/// A structure or enumeration whose values travel to worker processes and back part by part, without `Codable`.
///
/// A `Codable` type travels through its own `encode(to:)` and `init(from:)`, which take far longer than the bytes that they write. That
/// goes for bitwise-copyable types too, for whoever wrote them meant it, and the compiler's own cannot be told from others. A
/// type that adopts this protocol too says that its stored properties, or its cases and what they carry, are all that there
/// is to a value. They are copied as they are, and `Codable` is not asked: what `encode(to:)` would leave out is sent, and what
/// `init(from:)` would check is not checked.
///
/// ```swift
/// struct Reading: Codable, MemberwiseTransport {
///   var number: Int
///   var station: String
///   var levels: [Float]
/// }
/// ```
///
/// Tuples, and structures and enumerations that are not `Codable`, travel in this way without saying so, and so do optionals, arrays,
/// sets and dictionaries of them. Each stored property has to be a value that can travel by itself, and travels as its own type does.
/// Properties that are classes are refused, whether `Codable` or not: ``WorkerPoolError/Kind-swift.enum/notTransportable`` says which.
public typealias MemberwiseTransport = MillraceIPC.MemberwiseTransport
