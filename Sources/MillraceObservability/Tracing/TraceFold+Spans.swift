#if Observability
import Millrace
import Tracing

extension TraceFold.Finished {
  /// Says what there is to say of the span, and ends it.
  ///
  /// - Parameter epoch: what is to be added to the pool's time.
  func end(_ epoch: UInt64) {
    for mishap in mishaps { tell(mishap, epoch) }
    switch ending {
    case .chunk(let items, let elapsed):
      span.updateAttributes { attributes in
        attributes["millrace.items.run"] = items
        attributes["millrace.busy_ns"] = Int64(clamping: elapsed)
      }
      if let last = mishaps.last { fail("item \(last.index): \(last.cause)") }
    case .lost(let departure): fail(departure.words)
    case .left: span.updateAttributes { $0["millrace.given_back"] = true }
    case .map(let end, let totals): tell(end, totals)
    }
    span.end(at: DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: time &+ epoch))
  }

  private func tell(_ mishap: TraceFold.Mishap, _ epoch: UInt64) {
    let time = DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: mishap.time &+ epoch)
    var attributes: SpanAttributes = [:]
    attributes["millrace.item"] = mishap.index
    attributes["millrace.slot"] = mishap.slot
    attributes["millrace.attempt"] = mishap.attempt
    attributes["millrace.cause"] = "\(mishap.cause)"
    let name = mishap.isFinal ? "millrace.item.failed" : "millrace.item.retried"
    span.addEvent(SpanEvent(name: name, at: time, attributes: attributes))
  }

  private func tell(_ end: JobEnd, _ totals: JobTotals) {
    span.updateAttributes { attributes in
      attributes["millrace.items.done"] = totals.done
      attributes["millrace.items.failed"] = totals.failed
      attributes["millrace.items.retried"] = totals.retried
      attributes["millrace.end"] = end.word
    }
    switch end {
    case .complete: break
    case .cancelled: fail("cancelled")
    case .failed(let error):
      span.recordError(error)
      fail("\(error)")
    }
  }

  private func fail(_ message: String) { span.setStatus(SpanStatus(code: .error, message: message)) }
}

extension JobEnd {
  fileprivate var word: String {
    switch self {
    case .complete: "complete"
    case .cancelled: "cancelled"
    case .failed: "failed"
    }
  }
}

extension WorkerDeparture {
  fileprivate var words: String {
    switch cause {
    case .ended, .endedWithAnother: "its worker ended"
    case .died(let cause): "\(cause)"
    case .killed(.timedOut(_, let index, let limit)), .givenUp(.timedOut(_, let index, let limit)):
      "item \(index) took longer than \(Duration.nanoseconds(limit)); its worker was ended"
    case .killed, .givenUp: "its worker was ended"
    }
  }
}
#endif
