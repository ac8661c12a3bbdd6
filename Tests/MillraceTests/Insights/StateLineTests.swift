import Millrace
import Testing

@Suite("Insights: a pool in letters and in words")
struct StateLineTests {
  @Test("a letter a worker, as vimap has them")
  func letters() {
    var pool = PoolSnapshot(time: 0, width: 4)
    func slot(_ state: PoolSnapshot.Slot.State, level: Int = 0, generation: Int = 1) -> PoolSnapshot.Slot {
      PoolSnapshot.Slot(state: state, level: level, generation: generation)
    }
    pool.slots = [
      slot(.working), slot(.idle), slot(.idle), slot(.working), slot(.ending), slot(.working, level: 1),
      slot(.empty, generation: 0), slot(.empty), slot(.killed), slot(.starting), slot(.settingUp(WorkerKey(1))),
      slot(.tearingDown(WorkerKey(1))), slot(.closed),
    ]
    #expect(pool.stateLine == "RiiR$.XX..$")
    pool.slots = [slot(.closed), slot(.closed)]
    pool.hasStopped = true
    #expect(pool.stateLine == "$$")
  }

  @Test("in words: slots with what they are at, maps with how far they are")
  func words() {
    var pool = PoolSnapshot(time: 3_000_000_000, width: 2, closing: .shutDown)
    var busy = PoolSnapshot.Slot(state: .working, level: 0, generation: 1)
    busy.work = [PoolSnapshot.Work(chunk: 1, job: JobID(1), items: 17..<20, attempt: 2)]
    busy.since = 1_500_000_000
    pool.slots = [busy, PoolSnapshot.Slot(state: .idle, level: 0, generation: 1)]
    var job = PoolSnapshot.Job(worker: WorkerKey(1), level: 0, total: 100)
    (job.counts.read, job.counts.done, job.counts.failed, job.counts.retried, job.running) = (30, 16, 1, 2, 3)
    pool.jobs = [JobID(1): job]
    #expect(
      pool.words == """
        2 slots, shutting down, 1 map
          slot 0: works on item 17 of map 1, attempt 2, for 1.5 s; 3 items there
          slot 1: waits for work
          map 1: 17 of 100 items finished, 1 failed, 2 attempts made again; 3 at slots, 10 wait
        """)
  }
}
