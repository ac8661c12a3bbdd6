import Foundation
import Testing

@testable import MillraceIPC

/// Which sequences may run code of an actor's as they are read.
@Suite struct ActorCodeTests {
  private func isPossible<S: Sequence>(_ sequence: S) -> Bool { ActorCode.isPossible(in: type(of: sequence)) }

  indirect enum Nest<T> { case leaf(T), more(Nest<[T]>) }
  struct Nests<T>: Sequence, IteratorProtocol {
    var nest: Nest<T>?
    mutating func next() -> Int? { nil }
  }

  @Test("U249: what holds itself with other arguments, again and again, may run anything")
  func growing() { #expect(isPossible(Nests<Int>())) }

  @Test("U42: the standard library's sequences of closures may")
  func closures() {
    let numbers = (0..<3).lazy
    #expect(isPossible(numbers.map { $0 }) && isPossible(numbers.filter { $0 > 1 }))
    #expect(isPossible(numbers.prefix { $0 > 1 }) && isPossible(numbers.drop { $0 > 1 }))
    #expect(isPossible(sequence(first: 1) { $0 }) && isPossible(sequence(state: 1) { $0 }))
    #expect(isPossible(AnySequence([1])) && isPossible(AnyIterator { 1 }) && isPossible(AnyCollection([1])))
  }

  @Test("U42: so may what wraps them, in any way")
  func wrappers() {
    let mapped = (0..<3).lazy.map { $0 }
    #expect(isPossible(mapped.enumerated()) && isPossible(zip([1], mapped)) && isPossible(mapped.reversed()))
    #expect(isPossible(Own(mapped)) && isPossible(Own([mapped])) && isPossible(Own(Optional(mapped))))
    #expect(isPossible(Own((1, mapped))) && isPossible(Own(Box.value(mapped))))
    #expect(isPossible(Own({ 1 })) && isPossible(Own([1: { 2 }])) && isPossible(Own(Holder { 1 })))
    #expect(isPossible(Own([1] as any Sequence<Int>)))
  }

  @Test("U42: what has no closures may not, nor what has only such as may be called anywhere")
  func others() {
    #expect(!isPossible(stride(from: 0, to: 9, by: 2)) && !isPossible([1: "a"]) && !isPossible(Set([1])))
    #expect(!isPossible("abc".utf8) && !isPossible(repeatElement(1, count: 3)) && !isPossible(Data([1])))
    #expect(!isPossible([1].enumerated()) && !isPossible(zip([1], [2])) && !isPossible([[1]].joined()))
    #expect(!isPossible(Own({ @Sendable in 1 })) && !isPossible(Own({ (_: Int) async in 1 })))
    #expect(!isPossible(Own(FileHandle.standardInput)) && !isPossible(Own(URL(filePath: "/"))))
    #expect(!isPossible(Own(Int.self)) && !isPossible(Own(stat())) && !isPossible(Own(Lock(1))))
    #expect(!isPossible(Tree(children: [])))
  }

  @Test("U42: an object's class counts, whatever it is taken for")
  func classes() {
    let plain: Numbers = Numbers()
    let more: Numbers = MoreNumbers()
    #expect(!isPossible(plain) && isPossible(more))
  }

  @Test("U42: a conformance of the main actor's counts")
  @MainActor func conformances() {
    #expect(ActorCode.isPossible(in: MainSequence.self))
    #expect(ActorCode.isPossible(in: EnumeratedSequence<MainSequence>.self))
  }
}

private struct Own<Value>: Sequence, IteratorProtocol {
  let value: Value
  init(_ value: Value) { self.value = value }
  func next() -> Int? { nil }
}

private enum Box<Value> {
  case nothing
  indirect case value(Value)
}

private final class Holder {
  let body: () -> Int
  init(_ body: @escaping () -> Int) { self.body = body }
}

/// Has values of its own type, and what an object may have behind an existential.
private struct Tree: Sequence, IteratorProtocol {
  final class Log { let handler: any Error = CancellationError() }
  let children: [Tree]
  let log = Log()
  func next() -> Int? { nil }
}

private class Numbers: Sequence, IteratorProtocol {
  func next() -> Int? { nil }
}

private final class MoreNumbers: Numbers {
  let body: () -> Int? = { nil }
}

@MainActor private struct MainSequence: @MainActor Sequence, @MainActor IteratorProtocol {
  func next() -> Int? { nil }
}
