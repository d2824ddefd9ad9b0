package ckafka

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/lag"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/setting"
	"tocsin/pkg/tencent"
)

const (
	testID    = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
	testKey   = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
	testToken = "token-of-a-role"
)

// directTransport passes requests to a cloud without a network, so that a test can
// run in virtual time.
type directTransport struct{ cloud http.Handler }

func (d directTransport) RoundTrip(r *http.Request) (_ *http.Response, err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { // a server closes the connection
			err = cmp.Or(r.Context().Err(), io.ErrUnexpectedEOF)
		} else if p != nil {
			panic(p)
		}
	}()
	w := httptest.NewRecorder()
	d.cloud.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func newCloud(groups tencentcloud.GroupSource) *tencentcloud.Cloud {
	cloud := tencentcloud.New(time.Now)
	cloud.SetKey(testID, tencentcloud.Key{Secret: testKey})
	cloud.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: groups})
	return cloud
}

func newCluster() lag.Cluster {
	return lag.Cluster{Name: "orders", CKafka: &lag.CKafka{InstanceID: "ckafka-1", Region: "ap-guangzhou", SecretID: testID, SecretKey: testKey}}
}

// newReader returns a reader of cloud without rate limits.
func newReader(t testing.TB, cloud *tencentcloud.Cloud, c lag.Cluster) *Reader {
	t.Helper()
	cloud.LimitRate(1 << 30)
	r, err := New(c, tencent.Credential{}, directTransport{cloud})
	if err != nil {
		t.Fatal(err)
	}
	r.limiter = tencent.NewLimiter(1e9, 1e9)
	return r
}

// newTLSReader returns a reader of cloud over TLS.
func newTLSReader(t *testing.T, cloud *tencentcloud.Cloud, key tencent.Credential, c lag.Cluster) *Reader {
	t.Helper()
	server := httptest.NewTLSServer(cloud)
	t.Cleanup(server.Close)
	instance := *c.CKafka
	instance.Endpoint = server.URL
	c.CKafka = &instance
	r, err := New(c, key, server.Client().Transport)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func filter(t *testing.T, include, exclude []string) lag.Filter {
	t.Helper()
	compile := func(texts []string) (list []setting.Pattern) {
		for _, text := range texts {
			p, err := setting.NewPattern(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, p)
		}
		return list
	}
	return lag.Filter{Include: compile(include), Exclude: compile(exclude)}
}

// newGroups returns groups with topics whose partitions each have a lag of 3.
func newGroups(groups, topics, partitions int) tencentcloud.StaticGroups {
	list := make([]tencentcloud.Topic, topics)
	for i := range list {
		list[i] = tencentcloud.Topic{Name: fmt.Sprintf("topic-%03d", i), Partitions: make([]tencentcloud.Partition, partitions)}
		for p := range list[i].Partitions {
			list[i].Partitions[p] = tencentcloud.Partition{ID: int32(p), Committed: 1_000_000_007, End: 1_000_000_010}
		}
	}
	t := tencentcloud.StaticGroups{}
	for i := range groups {
		t[fmt.Sprintf("group-%03d", i)] = list
	}
	return t
}

func TestRead(t *testing.T) {
	cloud := newCloud(tencentcloud.StaticGroups{
		"billing": {{Name: "orders", Partitions: []tencentcloud.Partition{
			{ID: 0, Committed: 7, End: 10},
			{ID: 1, Committed: 10, End: 10},
			{ID: 2, Committed: 12, End: 10},
			{ID: 3, Committed: -1, End: 10},
			{ID: 4, Committed: 7, End: 10, ErrorCode: 3},
			{ID: 5, Committed: 7, End: -1},
			{ID: 6, Committed: 1 << 53, End: 1<<53 + 1},
		}}, {Name: "payments", Partitions: []tencentcloud.Partition{{ID: 0, Committed: 0, End: 4}}}},
		"search": nil,
	})
	got, err := newTLSReader(t, cloud, tencent.Credential{}, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &lag.Snapshot{Complete: true, StartOffsetUnknown: true, Groups: []lag.Group{
		{Name: "billing", Complete: true, Topics: []lag.Topic{
			{Name: "orders", Partitions: []lag.Partition{
				{ID: 0, Committed: 7, End: 10, Lag: 3, Known: true},
				{ID: 1, Committed: 10, End: 10, Lag: 0, Known: true},
				{ID: 2, Committed: 12, End: 10, Lag: 0, Known: true},
				{ID: 3, Committed: -1, End: 10, Reason: "no commit"},
				{ID: 4, Committed: 7, End: 10, Reason: "error 3"},
				{ID: 5, Committed: 7, End: -1, Reason: "no log end offset"},
				{ID: 6, Committed: 1 << 53, End: 1<<53 + 1, Lag: 1, Known: true},
			}},
			{Name: "payments", Partitions: []lag.Partition{{ID: 0, Committed: 0, End: 4, Lag: 4, Known: true}}},
		}},
		{Name: "search", Complete: true},
	}}
	for i, g := range got.Groups {
		if len(g.Topics) == 0 {
			got.Groups[i].Topics = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("snapshot = %+v\nwant %+v", got, want)
	}
}

// The vendor may leave fields out, and its Lag is not used.
func TestReadMissingFields(t *testing.T) {
	cloud := newCloud(newGroups(1, 1, 1))
	cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Do: fault.Respond(200, "application/json", `{"Response":{"RequestId":"1","Result":{"TotalCount":3,"TopicList":[
		{"Topic":"a","Partitions":[{"Partition":0,"Lag":5,"Metadata":"`+"\xff"+`"},{"Partition":1,"Offset":null,"LogEndOffset":9},{"Partition":2,"Offset":1},{"Offset":1,"LogEndOffset":2},{"Partition":4294967296,"Offset":1,"LogEndOffset":2},null,{"Partition":3,"Offset":4,"LogEndOffset":9,"Lag":777}]},
		{"Partitions":[]}, null]}}}`)})
	got, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []lag.Group{{Name: "group-000", Complete: false, Topics: []lag.Topic{{Name: "a", Partitions: []lag.Partition{
		{ID: 0, Committed: -1, End: -1, Reason: "no commit"},
		{ID: 1, Committed: -1, End: 9, Reason: "no commit"},
		{ID: 2, Committed: 1, End: -1, Reason: "no log end offset"},
		{ID: -1, Committed: 1, End: 2, Reason: "no partition number"},
		{ID: -1, Committed: 1, End: 2, Reason: "no partition number"},
		{ID: -1, Committed: -1, End: -1, Reason: "no partition number"},
		{ID: 3, Committed: 4, End: 9, Lag: 5, Known: true},
	}}}}}
	if !reflect.DeepEqual(got.Groups, want) {
		t.Errorf("groups = %+v\nwant %+v", got.Groups, want)
	}
}

func TestReadPages(t *testing.T) {
	tests := []struct{ groups, topics, lists, reads int }{
		{0, 1, 1, 0},
		{1, 0, 1, 1},
		{1, 1, 1, 1},
		{1, 50, 1, 1},
		{1, 51, 1, 2},
		{1, 120, 1, 3},
		{50, 1, 1, 50},
		{51, 1, 2, 51},
		{120, 1, 3, 120},
		{3, 120, 1, 9},
		{100, 50, 2, 100},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d groups of %d topics", tt.groups, tt.topics), func(t *testing.T) {
			cloud := newCloud(newGroups(tt.groups, tt.topics, 2))
			got, err := newReader(t, cloud, newCluster()).Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !got.Complete || len(got.Groups) != tt.groups {
				t.Errorf("%d groups, complete = %t; want %d, true", len(got.Groups), got.Complete, tt.groups)
			}
			sum := int64(0)
			for i, g := range got.Groups {
				if g.Name != fmt.Sprintf("group-%03d", i) || !g.Complete || g.Err != nil || len(g.Topics) != tt.topics {
					t.Errorf("group %d: %s, %d topics, complete = %t, error = %v; want group-%03d, %d, true, none", i, g.Name, len(g.Topics), g.Complete, g.Err, i, tt.topics)
				}
				for j, topic := range g.Topics {
					if topic.Name != fmt.Sprintf("topic-%03d", j) {
						t.Errorf("topic %d = %s, want topic-%03d", j, topic.Name, j)
					}
					for _, p := range topic.Partitions {
						sum += p.Lag
					}
				}
			}
			if want := int64(tt.groups * tt.topics * 2 * 3); sum != want {
				t.Errorf("lag = %d, want %d", sum, want)
			}
			if lists, reads := cloud.Count("DescribeGroup"), cloud.Count("DescribeGroupOffsets"); lists != tt.lists || reads != tt.reads {
				t.Errorf("%d lists and %d reads, want %d and %d", lists, reads, tt.lists, tt.reads)
			}
		})
	}
}

func TestReadFilters(t *testing.T) {
	tests := []struct {
		name                   string
		groups, topics         [2][]string // include, exclude
		wantGroups, wantTopics int
		wantLists, wantReads   int
	}{
		{name: "no filter", wantGroups: 60, wantTopics: 3, wantLists: 2, wantReads: 60},
		{name: "pattern", groups: [2][]string{{"group-00."}, {"group-007"}}, wantGroups: 9, wantTopics: 3, wantLists: 2, wantReads: 9},
		{name: "names need no list", groups: [2][]string{{"group-001", "group-002"}}, wantGroups: 2, wantTopics: 3, wantLists: 0, wantReads: 2},
		{name: "name of no group", groups: [2][]string{{"other"}}, wantGroups: 1, wantTopics: 0, wantLists: 0, wantReads: 1},
		{name: "topics", groups: [2][]string{{"group-001"}}, topics: [2][]string{nil, {".*-000"}}, wantGroups: 1, wantTopics: 2, wantReads: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud, c := newCloud(newGroups(60, 3, 1)), newCluster()
			c.Groups, c.Topics = filter(t, tt.groups[0], tt.groups[1]), filter(t, tt.topics[0], tt.topics[1])
			got, err := newReader(t, cloud, c).Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Groups) != tt.wantGroups || !got.Complete {
				t.Errorf("%d groups, complete = %t; want %d, true", len(got.Groups), got.Complete, tt.wantGroups)
			}
			for _, g := range got.Groups {
				if len(g.Topics) != tt.wantTopics || !g.Complete {
					t.Errorf("%s: %d topics, complete = %t; want %d, true", g.Name, len(g.Topics), g.Complete, tt.wantTopics)
				}
			}
			if lists, reads := cloud.Count("DescribeGroup"), cloud.Count("DescribeGroupOffsets"); lists != tt.wantLists || reads != tt.wantReads {
				t.Errorf("%d lists and %d reads, want %d and %d", lists, reads, tt.wantLists, tt.wantReads)
			}
		})
	}
}

func TestNewRejectsEndpoint(t *testing.T) {
	c := newCluster()
	c.CKafka.Endpoint = "ckafka.tencentcloudapi.com"
	want := "cluster orders: endpoint is not the address of an API: write it like https://ckafka.tencentcloudapi.com, without a path"
	if _, err := New(c, tencent.Credential{}, nil); err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

// replayTransport repeats the cloud's response to the first of equal requests, so
// that a benchmark measures the reader alone.
type replayTransport struct {
	directTransport
	mu     sync.Mutex
	bodies map[string][]byte
}

func (p *replayTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	key := r.Header.Get("X-TC-Action") + string(request)
	p.mu.Lock()
	body, known := p.bodies[key]
	p.mu.Unlock()
	if !known {
		r.Body = io.NopCloser(bytes.NewReader(request))
		response, err := p.directTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(response.Body); err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.bodies[key] = body
		p.mu.Unlock()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func BenchmarkRead(b *testing.B) {
	cloud := newCloud(newGroups(100, 50, 24))
	cloud.LimitRate(1 << 30)
	r, err := New(newCluster(), tencent.Credential{}, &replayTransport{directTransport: directTransport{cloud}, bodies: map[string][]byte{}})
	if err != nil {
		b.Fatal(err)
	}
	r.limiter = tencent.NewLimiter(1e9, 1e9)
	if _, err := r.Read(b.Context()); err != nil { // records the responses
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := r.Read(b.Context())
		if err != nil || len(snapshot.Groups) != 100 {
			b.Fatal(snapshot, err)
		}
	}
}
