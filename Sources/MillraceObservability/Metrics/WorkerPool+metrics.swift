#if Observability
public import Metrics
public import Millrace

extension WorkerPool {
  /// Tells swift-metrics what happens in the pool, from now on: what its items come to and how long they take, what becomes of its workers, and
  /// how much waits. See "Observability" in the documentation for names and units.
  ///
  /// Before the pool's first map all of it is told. It costs some microseconds a chunk; a pool that does not report pays nothing. Handlers are
  /// called by whoever works for the pool, with no lock held: they should be quick, as those of the known backends are.
  ///
  /// - Parameters:
  ///   - name: The value of the dimension `pool`. Pools of one name are counted together, and one of them sets the gauges.
  ///   - factory: Where to. Default: what `MetricsSystem` was bootstrapped with.
  public func reportMetrics(as name: String = "default", to factory: any MetricsFactory = MetricsSystem.factory) {
    let instruments = PoolInstruments(name, factory)
    report(instruments, setsGauges: true)
    // Of one name one pool sets the gauges.
    company.follow { $0.report(instruments, setsGauges: false) }
  }

  private func report(_ instruments: PoolInstruments, setsGauges: Bool) {
    let recorder = MetricsRecorder(instruments, setsGauges: setsGauges)
    company.keep(observe(with: recorder) { recorder.begin($0) })
    recorder.setGauges()
  }
}
#endif
