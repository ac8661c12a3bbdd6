import Logging
import MillraceIPC

/// Groups of a run that lend each other slots.
final class BalancedGroups: @unchecked Sendable {
  // Sound: belongs to the engine's turn.
  /// A pool with a width of its own, and the stations that run there.
  struct Group {
    let pool: WorkerPool
    var places: [Int]
  }
  private let groups: [Group]
  private let meter: PipelineMeter
  private var balancer: Balancer
  private var lastLook = _monotonicNow()

  init(_ groups: [Group], limit: Int, meter: PipelineMeter) {
    self.groups = groups
    self.meter = meter
    balancer = Balancer(limit: max(limit, groups.reduce(0) { $0 + $1.pool.width }), parts: groups.count)
  }

  /// Looks, and moves what is to be moved. Returns what was done, if anything was.
  func look(_ isUnknown: (Int) -> Bool, _ isOver: (Int) -> Bool) -> String? {
    let now = _monotonicNow()
    defer { lastLook = now }
    let parts = groups.map { group in
      let work = meter.work(group.places)
      return Balancer.Part(
        busy: work.busy, chunks: work.chunks, slots: group.pool.width,
        isUnknown: group.places.contains(where: isUnknown), isOver: group.places.allSatisfy(isOver))
    }
    guard let widths = balancer.look(parts, after: now &- lastLook) else { return nil }
    var changes: [String] = []
    for (group, (part, width)) in zip(groups, zip(parts, widths)) where width != part.slots {
      // One that is closed has nothing to do any more.
      guard (try? group.pool.resize(to: width)) != nil else { continue }
      for place in group.places { meter.resized(place, to: width) }
      let names = group.places.compactMap(meter.name).joined(separator: ", ")
      changes.append("\(names) has \(width) instead of \(part.slots)")
    }
    return changes.isEmpty ? nil : changes.joined(separator: ", ")
  }
}

extension PipelineEngine {
  /// From now on, and until the run is over.
  func keepBalanced(_ groups: BalancedGroups, every interval: Duration) {
    balancing.append(
      Task { [weak self] in
        while true {
          do { try await ContinuousClock().sleep(for: interval) } catch { return }
          guard let self else { return }
          self.tell { $0.balance(groups) }
        }
      })
  }

  private func balance(_ groups: BalancedGroups) {
    let done = groups.look { place in
      let station = stations[place]
      return station.used == 0 && machine.running(at: place) > 0
    } _: { place in
      stations[place].hasEnded
    }
    if let done { logger.info("a pipeline's slots were moved: \(done)") }
  }
}
