// Every public type of Millrace by its plain name, in a file that imports Foundation: what collides with one of Foundation's does not
// compile. `InterfaceTests` looks whether they are all here.

import Foundation
import Millrace

/// Never called: it is enough that it compiles.
func namesBesideFoundation() -> [Any.Type] {
  [
    Chunks<[Int]>.self,
    Chunks<[Int]>.Iterator.self,
    ClosureWorker<Int, Int>.self,
    Interrupted.self,
    InvalidOption.self,
    ItemFailure.self,
    ItemFailure.Cause.self,
    ItemFailure.Crash.self,
    ItemFailure.Crash.Kind.self,
    ItemFailures.self,
    ItemOptions.self,
    ItemRandom.self,
    MapOptions.self,
    MapOptions.Backoff.self,
    MapOptions.Chunking.self,
    MapOptions.Dispatch.self,
    MapOptions.FailurePolicy.self,
    MapOptions.Lifespan.self,
    MapOptions.Order.self,
    MapOptions.Retry.self,
    MapOptions.SetUp.self,
    MapOptions.Timeouts.self,
    MapOptions.Window.self,
    Outcome<Int, Int>.self,
    OutcomeSequence<Int, Int, [Int]>.self,
    OutcomeSequence<Int, Int, [Int]>.AsyncIterator.self,
    OutputSequence<Int, [Int]>.self,
    OutputSequence<Int, [Int]>.AsyncIterator.self,
    RemoteError.self,
    (any StatelessWorker).self,
    Submission<Int>.self,
    SystemError.self,
    TransportError.self,
    TransportError.Kind.self,
    (any Worker).self,
    WorkerContext.self,
    WorkerExit<Int>.self,
    WorkerFailure.self,
    WorkerPool.self,
    WorkerPool.Backend.self,
    WorkerPool.CPUIDs.self,
    WorkerPool.CPUIDs.Entry.self,
    WorkerPool.ProcessOptions.self,
    WorkerPool.ProcessOptions.Start.self,
    WorkerPoolError.self,
    WorkerPoolError.Kind.self,
    ZippedSequence<[Int], [Int]>.self,
    ZippedSequence<[Int], [Int]>.Iterator.self,
  ]
}
