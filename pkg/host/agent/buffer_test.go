package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func newBuffer(t testing.TB, dir string, limit int64) (*buffer, *logs) {
	t.Helper()
	log, l := newLog()
	b, err := openBuffer(dir, limit, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.close() })
	return b, l
}

func add(t testing.TB, b *buffer, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := b.append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// take takes up to n records out.
func take(b *buffer, n int) (records []string) {
	for range n {
		r, at, ok := b.first()
		if !ok {
			break
		}
		records = append(records, string(r))
		b.done(at)
	}
	return records
}

func numbers(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf(`{"n":%d}`, i))
	}
	return list
}

func wantRecords(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d records %.200q\nwant %d %.200q", len(got), got, len(want), want)
	}
}

func wantWaiting(t testing.TB, b *buffer, reports, dropped int64) {
	t.Helper()
	if st := b.stats(); st.reports != reports || st.dropped != dropped {
		t.Errorf("%d wait and %d were dropped, want %d and %d", st.reports, st.dropped, reports, dropped)
	}
}

// What was put in comes out in order, over restarts, and nothing twice that was
// done.
func TestBufferOverRestarts(t *testing.T) {
	dir := t.TempDir()
	b, _ := newBuffer(t, dir, 1<<20)
	add(t, b, numbers(1, 5)...)
	wantRecords(t, take(b, 2), numbers(1, 2))
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	if err := b.append([]byte("late")); err == nil {
		t.Error("a closed buffer takes a report")
	}
	b, _ = newBuffer(t, dir, 1<<20)
	wantWaiting(t, b, 3, 0)
	add(t, b, numbers(6, 7)...)
	wantRecords(t, take(b, 100), numbers(3, 7))
	wantWaiting(t, b, 0, 0)
	b.close()
	b, _ = newBuffer(t, dir, 1<<20)
	wantRecords(t, take(b, 100), nil)
	add(t, b, numbers(8, 8)...)
	wantRecords(t, take(b, 100), numbers(8, 8))
}

// Reports that come while the oldest is on its way do not change what done
// forgets.
func TestBufferFirstStays(t *testing.T) {
	b, _ := newBuffer(t, t.TempDir(), 1<<20)
	add(t, b, "a")
	r, at, _ := b.first()
	add(t, b, "b")
	if again, _, _ := b.first(); string(r) != "a" || string(again) != "a" {
		t.Errorf("first is %q, then %q, want a", r, again)
	}
	b.done(at)
	b.done(at)
	wantRecords(t, take(b, 9), []string{"b"})
}

// Wherever a process is killed while it writes, only the report that it wrote is
// lost, and those that follow are kept.
func TestBufferTornWrite(t *testing.T) {
	whole := frame([]byte(`{"n":3}`))
	for cut := range len(whole) {
		dir := t.TempDir()
		b, _ := newBuffer(t, dir, 1<<20)
		add(t, b, numbers(1, 2)...)
		b.close()
		file := segments(t, dir)[0]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, whole[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		b, l := newBuffer(t, dir, 1<<20)
		lost := int64(min(cut, 1))
		wantWaiting(t, b, 2, lost)
		if n := int64(l.has("lost")); n != lost {
			t.Errorf("cut at %d: %d lines of the log tell of it\n%s", cut, n, l)
		}
		add(t, b, numbers(4, 4)...)
		wantRecords(t, take(b, 9), append(numbers(1, 2), numbers(4, 4)...))
		b.close()
	}
}

// Any byte that is changed costs the report that it belongs to, or two if it
// parted them.
func TestBufferDamage(t *testing.T) {
	dir := t.TempDir()
	b, _ := newBuffer(t, dir, 1<<20)
	add(t, b, numbers(1, 5)...)
	b.close()
	file := segments(t, dir)[0]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := len(good) / 5
	for i := 2 * size; i < 3*size; i++ {
		for _, to := range []byte{0, '\n', good[i] ^ 1} {
			bad := bytes.Clone(good)
			if bad[i] == to {
				continue
			}
			bad[i] = to
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(dir, sentName))
			b, l := newBuffer(t, dir, 1<<20)
			want := append(numbers(1, 2), numbers(4, 5)...)
			if i == 3*size-1 { // the end of the third line, which swallows the fourth
				want = append(numbers(1, 2), numbers(5, 5)...)
			}
			wantRecords(t, take(b, 9), want)
			if b.stats().dropped == 0 || l.has("damaged") == 0 || b.stats().reports != 0 {
				t.Errorf("byte %d is %q: %+v\n%s", i, to, b.stats(), l)
			}
			b.close()
		}
	}
}

// Beyond the limit the oldest make room; how many is told, and no file is larger
// than it should be.
func TestBufferFull(t *testing.T) {
	const limit = 16 << 10
	dir := t.TempDir()
	b, l := newBuffer(t, dir, limit)
	record := func(n int) string { return fmt.Sprintf("%05d%s", n, strings.Repeat("x", 95)) } // 110 bytes as a line
	for n := range 1000 {
		add(t, b, record(n))
		if st := b.stats(); st.bytes > limit {
			t.Fatalf("%d bytes wait after %d reports", st.bytes, n+1)
		}
	}
	st := b.stats()
	if st.reports+st.dropped != 1000 || st.reports < limit/110*15/16-1 {
		t.Errorf("%+v of 1000: want them all counted, and the buffer nearly full", st)
	}
	if n := l.has("lost", "--buffer"); n < 10 || n > 120 {
		t.Errorf("%d lines of the log tell of it", n)
	}
	b.close()
	b, _ = newBuffer(t, dir, limit)
	var want []string
	for n := 1000 - int(st.reports); n < 1000; n++ {
		want = append(want, record(n))
	}
	wantRecords(t, take(b, 1000), want)
}

// A report that makes room while it is on its way is not there to be forgotten.
func TestBufferFullWhileSending(t *testing.T) {
	b, _ := newBuffer(t, t.TempDir(), 64)
	add(t, b, strings.Repeat("a", 40))
	r, at, _ := b.first()
	add(t, b, strings.Repeat("b", 40))
	if string(r) != strings.Repeat("a", 40) {
		t.Errorf("the report on its way became %q", r)
	}
	b.done(at)
	wantWaiting(t, b, 1, 1)
	wantRecords(t, take(b, 9), []string{strings.Repeat("b", 40)})
}

// When all is sent the disk is given back.
func TestBufferDrained(t *testing.T) {
	dir := t.TempDir()
	b, _ := newBuffer(t, dir, 64<<20)
	record := strings.Repeat("x", 1000)
	for range 1000 {
		add(t, b, record)
		take(b, 1)
		if n := used(t, dir); n > drained+2000 {
			t.Fatalf("%d bytes are kept of reports that were sent", n)
		}
	}
}

// While the disk takes nothing, reports go on by way of memory, in order.
func TestBufferDiskFull(t *testing.T) {
	dir := t.TempDir()
	b, l := newBuffer(t, dir, 1<<20)
	add(t, b, numbers(1, 2)...)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	disk := b.out
	b.out = full
	add(t, b, numbers(3, 5)...)
	b.out = disk
	wantWaiting(t, b, 5, 0)
	wantRecords(t, take(b, 4), numbers(1, 4))
	add(t, b, numbers(6, 6)...) // behind the fifth, which is in memory
	wantRecords(t, take(b, 9), numbers(5, 6))
	if l.has("kept in memory", "no space left") != 1 {
		t.Errorf("the log:\n%s", l)
	}
	b.out = full
	for i := range maxSpilled + 10 {
		add(t, b, fmt.Sprint(i))
	}
	wantWaiting(t, b, maxSpilled, 10)
	if r, _, _ := b.first(); string(r) != "10" {
		t.Errorf("the oldest in memory is %q, want 10", r)
	}
	b.out = disk
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	b, _ = newBuffer(t, dir, 1<<20)
	if got := take(b, 2000); len(got) != maxSpilled || got[0] != "10" {
		t.Errorf("%d reports were written down at the end", len(got))
	}
}

func TestBufferRefusesTheHuge(t *testing.T) {
	b, _ := newBuffer(t, t.TempDir(), 64<<20)
	add(t, b, strings.Repeat("x", maxRecord))
	if err := b.append(make([]byte, maxRecord+1)); err == nil {
		t.Error("a report beyond the limit is taken")
	}
	if got := take(b, 2); len(got) != 1 || len(got[0]) != maxRecord {
		t.Errorf("%d reports", len(got))
	}
}

// Whatever is in the directory, the buffer opens, comes to an end, and works.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte("92519c7b a\n"), []byte(""), []byte(""))
	f.Add(frame([]byte("a")), frame([]byte("b"))[:5], frame([]byte("0000000000000003")))
	f.Add([]byte("\n\n\x00\n"), frame([]byte("b")), frame([]byte("ffffffffffffffff")))
	f.Add(bytes.Repeat([]byte("x"), maxLine+5), frame([]byte("b")), frame([]byte("-000000000000001")))
	f.Fuzz(func(t *testing.T, one, two, sent []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{"0000000000000000.log": one, "0000000000000020.log": two, sentName: sent, "junk.log": one, "7fffffffffffffff.log": nil} {
			if name == "7fffffffffffffff.log" && len(sent) != 1 {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b, _ := newBuffer(t, dir, 1<<20)
		add(t, b, "new")
		got := take(b, len(one)+len(two)+2)
		if len(got) == 0 || got[len(got)-1] != "new" {
			t.Errorf("%q is what comes out", got)
		}
		if st := b.stats(); st.reports != 0 || st.bytes != 0 {
			t.Errorf("%+v is left", st)
		}
	})
}

func segments(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(files) == 0 {
		t.Fatal("no segments", err)
	}
	return files
}

func used(t testing.TB, dir string) (n int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
