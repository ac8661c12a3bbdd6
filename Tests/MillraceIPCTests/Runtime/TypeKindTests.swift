import CMillrace
import Foundation
import MillraceIPC
import Synchronization
import Testing

private protocol Shape {}
private protocol Holder<Content> { associatedtype Content }
private struct Square: Shape {}
private struct Phantom<T: ~Copyable> { var name: String }
private struct PhantomBits<T: ~Copyable> { var number = 7 }
private struct Wrapper<T> { var value: T }
private enum Choice<T> { case one(T), none }
private final class Object {}
private final class CodableObject: Codable {}
private struct Unmanaging { unowned(unsafe) var object: Object }
private struct Pack<each T> { var values: (repeat each T) }

/// Whatever reflects on types is asked of every kind of type.
@Suite struct TypeKindTests {
  /// Values of none of these can travel.
  private static let refused: [any Any.Type] = [
    Any.self, (any Shape).self, (any Holder<Int>).self, AnyObject.self, (any Shape & AnyObject).self,
    (any Codable).self, (any Hashable).self, (any CodingKey).self,
    Int.Type.self, (any Shape).Type.self, (any Shape.Type).self, Any.Type.self, AnyObject.Type.self,
    (() -> Void).self, (@convention(c) (Int) -> Int).self, (@Sendable (Any) async throws -> any Shape).self,
    Object.self, AnyHashable.self, KeyPath<String, Int>.self, AnyKeyPath.self, NSObject.self, Thread.self,
    AnySequence<Int>.self, AnyIterator<Int>.self, AsyncStream<Int>.self, Task<Int, Never>.self, StaticString.self,
    Unmanaged<Object>.self, Unmanaging.self, ManagedBuffer<Int, Int>.self, Mirror.self, Selectors.self,
  ]

  private enum Selectors { case type(Any.Type), number(Int) }

  private func obstacle(_ type: Any.Type) -> String? {
    func refusal<T>(_ type: T.Type) -> String? {
      do {
        _ = try Payload.coding(for: type)
        return nil
      } catch { return "\(error)" }
    }
    return _openExistential(type, do: refusal)
  }

  @Test("U1: no kind of type ends the program, alone or in another")
  func sweep() {
    func each<T>(_ type: T.Type) -> [Any.Type] {
      [
        T?.self, T??.self, [T].self, ContiguousArray<T>.self, ArraySlice<T>.self, [String: T].self, (T, Int).self,
        (String, (T, String)).self, Wrapper<T>.self, Wrapper<[T?]>.self, Choice<T>.self, Choice<(T, String)>.self,
        Result<T, CancellationError>.self, Result<Int, any Error>.self, InlineArray<2, T>.self, Pack<T, Int>.self,
        CollectionOfOne<T>.self,
      ]
    }
    for type in Self.refused {
      #expect(obstacle(type)?.contains("cannot be sent to another process") == true, "\(type)")
      for outer in _openExistential(type, do: each) where outer != Result<Int, any Error>.self {
        #expect(obstacle(outer)?.contains("cannot be sent to another process") == true, "\(outer)")
      }
    }
    for type in [Int.self, String.self, Data.self, [Int?].self, (Int, String).self, Void.self, Square.self]
      as [Any.Type]
    {
      #expect(obstacle(type) == nil, "\(type)")
      for outer in _openExistential(type, do: each) where !"\(outer)".hasPrefix("CollectionOfOne") {
        #expect(obstacle(outer) == nil, "\(outer): \(obstacle(outer) ?? "")")
      }
    }
  }

  @Test("U1: a refusal says what stands in the way")
  func reasons() throws {
    func text<T>(_ type: T.Type) -> String { obstacle(type) ?? "" }
    #expect(text((any Shape).self).contains("Shape cannot be sent to another process: it is an existential"))
    #expect(text([any Shape].self).contains("Shape is an existential"))
    #expect(text((Int, name: any Shape).self).contains("its property name, of type"))
    #expect(text(Int.Type.self).contains("Swift.Int.Type cannot be sent to another process: it is a type"))
    #expect(text(Wrapper<Int.Type>.self).contains("its property value, of type Swift.Int.Type, is a type"))
    #expect(text(Wrapper<() -> Void>.self).contains("its property value, of type () -> (), is a function"))
    #expect(text(Choice<Wrapper<Object>>.self).contains("its case one.value, of type"))
    #expect(text(Unmanaging.self).contains("its property object, of type") && text(Unmanaging.self).contains("a class"))
  }

  @Test("U1: what is only named by another type is not asked")
  func phantoms() throws {
    #expect(obstacle(Phantom<Mutex<Int>>.self) == nil)
    #expect(obstacle(Phantom<any Shape>.self) == nil)
    #expect(try Payload.coding(for: PhantomBits<Mutex<Int>>.self).fixedStride == 8)
    #expect(try Payload.coding(for: PhantomBits<any Shape>.self).fixedStride == 8)
    #expect(obstacle([CodableObject].self) == nil)
    // Of C.
    #expect(try Payload.coding(for: timespec.self).fixedStride == 16)
    #expect(try Payload.coding(for: sigset_t.self).fixedStride == 128)
  }

  @Test("U1: every kind of type has a name for other processes, or none")
  func references() {
    for type in Self.refused + [
      Int.self, (Int, Any).self, Phantom<Mutex<Int>>.self, Pack<Int, Any>.self, Mutex<Int>.Type.self,
    ] {
      guard let reference = TypeReference(type) else { continue }
      #expect(reference.resolve() == type)
    }
  }
}
