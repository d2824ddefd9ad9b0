package host_test

import "testing"

// While nobody watched, every host looks silent. The gap is noticed first, and
// they have time to report again.
func TestGap(t *testing.T) {
	w := newWorld(t, linux("web-1", "web-2"))
	w.report(0, "web-1", "web-2")
	for s := 0.0; s <= 50; s += 10 {
		w.expect(s)
	}
	// An hour in which nothing ran. web-1 reports 90 s later, web-2 does not.
	w.expect(3650)
	w.expect(3710)
	w.report(3740, "web-1")
	w.expect(3769.999)
	w.expect(3770, "HostOffline web-2 0")
	w.report(3775, "web-1")
	w.expect(3830, "HostOffline web-2 0")
}

// One missed check is a gap as well, where a host may be silent for no longer than
// that; but not while another host reports all the time.
func TestMissedCheck(t *testing.T) {
	c := linux("web-1", "web-2")
	w := newWorld(t, c)
	w.report(0, "web-1")
	w.expect(0)
	w.expect(120)
	w.expect(179.999)
	w.expect(180, "HostOffline web-1 0")

	w = newWorld(t, c)
	w.expect(0)
	w.report(0, "web-1", "web-2")
	w.report(59, "web-2")
	w.report(118, "web-2")
	w.expect(120, "HostOffline web-1 0")

	// One that has just come back is no proof.
	w = newWorld(t, c)
	w.expect(0)
	w.report(0, "web-1", "web-2")
	w.report(118, "web-2")
	w.expect(120)
	w.report(170, "web-2")
	w.expect(180, "HostOffline web-1 0")

	// Where hosts may be silent for long, a missed check does no harm.
	c.OfflineAfter = duration("5m")
	w = newWorld(t, c)
	w.expect(0)
	w.report(0, "web-1")
	w.expect(60)
	w.expect(180)
	w.expect(300, "HostOffline web-1 0")
}

// A host that was offline before a gap stays so, and is back when it is.
func TestGapKeepsWhatWasTold(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.report(0, "web-1")
	w.check(0)
	w.expect(60, "HostOffline web-1 0")
	w.expect(3600, "HostOffline web-1 0")
	w.report(3601, "web-1")
	w.expect(3605, "HostOffline web-1 0-3601")
}

// A timer that is slower than the configuration says is not one gap after the
// other: the pace is learnt.
func TestSlowTimer(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.report(0, "web-1")
	w.expect(0)
	w.expect(600)  // a gap, as it seems
	w.expect(1200) // and another
	w.expect(1800, "HostOffline web-1 0")
	w.report(1801, "web-1")
	w.expect(2400, "HostOffline web-1 0-1801", "HostOffline web-1 1801")
	// And a gap is still one.
	w.report(2401, "web-1")
	w.expect(2450, "HostOffline web-1 1801-2401")
	w.expect(6000)
	w.expect(6060)
	w.expect(6120, "HostOffline web-1 2401")
}
