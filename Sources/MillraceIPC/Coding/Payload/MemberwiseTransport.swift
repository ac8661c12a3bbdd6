/// A type whose values travel stored property by stored property, `Codable` or not: see the module Millrace.
public protocol MemberwiseTransport {}
