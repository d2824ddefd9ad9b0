package ckafka

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/tencent"
)

// refuseOffsets returns a fault of DescribeGroupOffsets.
func refuseOffsets(code string, times int) tencentcloud.Fault {
	return tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: times, Do: tencentcloud.Reject(code, "no")}
}

// These failures make the whole read fail.
func TestReadErrors(t *testing.T) {
	deny := func(action string) func(*tencentcloud.Cloud, *Reader) {
		return func(c *tencentcloud.Cloud, _ *Reader) {
			c.SetKey(testID, tencentcloud.Key{Secret: testKey, Deny: []string{action}})
		}
	}
	inject := func(f tencentcloud.Fault) func(*tencentcloud.Cloud, *Reader) {
		return func(c *tencentcloud.Cloud, _ *Reader) { c.Inject(f) }
	}
	tests := []struct {
		name   string
		change func(*tencentcloud.Cloud, *Reader)
		kind   tencent.Kind
		text   string // part of the error
		calls  int    // with retries
	}{
		{"unknown key", func(c *tencentcloud.Cloud, _ *Reader) { c.RemoveKey(testID) }, tencent.Credentials, "check secret_id", 1},
		{"wrong key", func(c *tencentcloud.Cloud, _ *Reader) { c.SetKey(testID, tencentcloud.Key{Secret: "other"}) }, tencent.Credentials, "check secret_key", 1},
		{"expired token", func(c *tencentcloud.Cloud, _ *Reader) {
			c.SetKey(testID, tencentcloud.Key{Secret: testKey, Expires: time.Now()})
		}, tencent.Credentials, "temporary key has expired", 1},
		{"no permission to list groups", deny("ckafka:DescribeGroup"), tencent.Permission, "may not perform ckafka:DescribeGroup: allow it", 1},
		{"no permission to read offsets", deny("ckafka:DescribeGroupOffsets"), tencent.Permission, "may not perform ckafka:DescribeGroupOffsets: allow it", 4},
		{"unknown instance", func(_ *tencentcloud.Cloud, r *Reader) { r.cluster.CKafka.InstanceID = "ckafka-2" }, tencent.NotFound, "check instance_id and region", 1},
		{"too many requests, permanently", inject(tencentcloud.Fault{Times: 3, Do: tencentcloud.Reject("RequestLimitExceeded", "no")}), tencent.Rate, "too many requests", 3},
		{"proxy error page, permanently", inject(tencentcloud.Fault{Times: 3, Do: fault.Respond(502, "text/html", "<html>")}), tencent.Network, "HTTP status 502", 3},
		{"response without a list, permanently", inject(tencentcloud.Fault{Times: 3, Do: fault.Respond(200, "application/json", `{"Response":{"RequestId":"1"}}`)}), tencent.Network, "not the API's", 3},
		{"text in the place of a number, permanently", inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 9, Do: fault.Respond(200, "application/json", `{"Response":{"RequestId":"1","Result":{"TotalCount":1,"TopicList":[{"Topic":"a","Partitions":[{"Partition":"0"}]}]}}}`)}), tencent.Network, "not the API's", 10},
		{"no response in time", inject(tencentcloud.Fault{Times: 9, Do: fault.Hang}), tencent.Timeout, "did not answer in time", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(newGroups(3, 1, 1))
				r := newReader(t, cloud, newCluster())
				tt.change(cloud, r)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				snapshot, err := r.Read(ctx)
				e, ok := errors.AsType[*tencent.Error](err)
				if !ok || snapshot != nil {
					t.Fatalf("Read = %+v, %v; want no snapshot and a *tencent.Error", snapshot, err)
				}
				if e.Kind != tt.kind || !strings.Contains(e.Text("en"), tt.text) {
					t.Errorf("error = %s: %v; want %s and a text with %q", e.Kind, e, tt.kind, tt.text)
				}
				for _, text := range []string{e.Text("en"), e.Text("zh")} {
					if strings.Contains(text, testID) || strings.Contains(text, testKey) {
						t.Errorf("text = %s, want no secret in it", text)
					}
				}
				if got := cloud.Count(""); got != tt.calls {
					t.Errorf("%d requests, want %d", got, tt.calls)
				}
			})
		})
	}
}

// These failures are gone at the next attempt.
func TestReadRetries(t *testing.T) {
	for name, do := range map[string]func(http.ResponseWriter, *http.Request, func()){
		"too many requests": tencentcloud.Reject("RequestLimitExceeded.UinLimitExceeded", "no"),
		"internal error":    tencentcloud.Reject("InternalError", "no"),
		"proxy page":        fault.Respond(502, "text/html", "<html>"),
		"not JSON":          fault.Respond(200, "application/json", "{"),
		"no list":           fault.Respond(200, "application/json", `{"Response":{"Result":{}}}`),
		"no response":       fault.Hang,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(newGroups(3, 1, 1))
				cloud.Inject(tencentcloud.Fault{Action: "DescribeGroup", Times: 2, Do: do})
				cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 1, Do: do})
				snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range snapshot.Groups {
					if g.Err != nil || len(g.Topics) != 1 {
						t.Errorf("%s: %d topics and error %v, want 1 and none", g.Name, len(g.Topics), g.Err)
					}
				}
				if lists, reads := cloud.Count("DescribeGroup"), cloud.Count("DescribeGroupOffsets"); lists != 3 || reads != 4 {
					t.Errorf("%d lists and %d reads, want 3 and 4", lists, reads)
				}
			})
		})
	}
}

func TestReadRetriesATruncatedResponse(t *testing.T) {
	cloud := newCloud(newGroups(1, 1, 1))
	cloud.Inject(tencentcloud.Fault{Action: "DescribeGroup", Do: fault.Truncate(`{"Response":{"Result":{"TotalCount":1}}}`)})
	snapshot, err := newTLSReader(t, cloud, tencent.Credential{}, newCluster()).Read(t.Context())
	if err != nil || len(snapshot.Groups) != 1 || cloud.Count("DescribeGroup") != 2 {
		t.Errorf("Read = %+v, %v with %d requests; want 1 group with 2 requests", snapshot, err, cloud.Count("DescribeGroup"))
	}
}

func TestReadReportsTheErrorOfOneGroup(t *testing.T) {
	cloud := newCloud(newGroups(3, 1, 1))
	cloud.Inject(refuseOffsets("InvalidParameterValue", 1))
	snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read, failed := 0, 0
	for _, g := range snapshot.Groups {
		switch {
		case g.Err == nil && g.Complete && len(g.Topics) == 1:
			read++
		case g.Err != nil && !g.Complete && len(g.Topics) == 0:
			failed++
		}
	}
	if read != 2 || failed != 1 || !snapshot.Complete {
		t.Errorf("%d read, %d failed, complete = %t; want 2, 1, true", read, failed, snapshot.Complete)
	}
}

func TestReadReportsErrorsOfSeveralKindsByGroup(t *testing.T) {
	cloud := newCloud(newGroups(3, 1, 1))
	cloud.Inject(refuseOffsets("InvalidParameterValue", 2))
	cloud.Inject(refuseOffsets("UnauthorizedOperation", 1))
	snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[tencent.Kind]int{}
	for _, g := range snapshot.Groups {
		if e, ok := errors.AsType[*tencent.Error](g.Err); ok {
			kinds[e.Kind]++
		}
	}
	if kinds[tencent.Config] != 2 || kinds[tencent.Permission] != 1 {
		t.Errorf("kinds = %v, want 2 of %s and 1 of %s", kinds, tencent.Config, tencent.Permission)
	}
}

func TestReadKeepsTopicsBeforeAFailedPage(t *testing.T) {
	cloud := newCloud(newGroups(1, 60, 1))
	var calls atomic.Int32
	cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 2, Do: func(w http.ResponseWriter, r *http.Request, next func()) {
		if calls.Add(1) == 1 {
			next()
			return
		}
		tencentcloud.Reject("FailedOperation", "no")(w, r, next)
	}})
	snapshot, err := newReader(t, cloud, newCluster()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g := snapshot.Groups[0]; g.Err == nil || g.Complete || len(g.Topics) != 50 {
		t.Errorf("%d topics, complete = %t, error = %v; want 50, false and an error", len(g.Topics), g.Complete, g.Err)
	}
}

// The cloud hangs after five groups: Read returns them at its deadline.
func TestReadReturnsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(newGroups(20, 1, 1))
		var calls atomic.Int32
		cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 100, Do: func(w http.ResponseWriter, r *http.Request, next func()) {
			if calls.Add(1) <= 5 {
				next()
				return
			}
			fault.Hang(w, r, next)
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		snapshot, err := newReader(t, cloud, newCluster()).Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v, want 2s", took)
		}
		read, timedOut, notSent := 0, 0, 0
		for _, g := range snapshot.Groups {
			e, _ := errors.AsType[*tencent.Error](g.Err)
			switch {
			case e == nil && g.Complete:
				read++
			case e != nil && e.Kind == tencent.Timeout && strings.Contains(e.Error(), "did not answer in time"):
				timedOut++
			case e != nil && e.Kind == tencent.Timeout && strings.Contains(e.Error(), "no time was left"):
				notSent++
			}
			if e != nil && (g.Complete || !errors.Is(e, context.DeadlineExceeded)) {
				t.Errorf("%s: complete = %t, error = %v; want false and a deadline error", g.Name, g.Complete, e)
			}
		}
		if read != 5 || timedOut != 8 || notSent != 7 || !snapshot.Complete {
			t.Errorf("%d read, %d timed out, %d not sent, complete = %t; want 5, 8, 7, true", read, timedOut, notSent, snapshot.Complete)
		}
	})
}

// The vendor's limit is 100 requests a second: reading 100 groups stays below it.
func TestReadObeysTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(newGroups(100, 1, 1))
		r, err := New(newCluster(), tencent.Credential{}, directTransport{cloud})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := r.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if cloud.Count("") != 102 {
			t.Errorf("%d requests, want 102", cloud.Count(""))
		}
		// 40 at once and 62 more, one each 20 ms.
		if took := time.Since(start); took != 1240*time.Millisecond {
			t.Errorf("took %v, want 1.24s", took)
		}
	})
}

// The platform renews the key of a role between two reads.
func TestReadUsesTheCurrentKeyOfTheRole(t *testing.T) {
	cloud := newCloud(newGroups(1, 1, 1))
	env := map[string]string{}
	setRoleKey := func(id string) {
		cloud.SetKey(id, tencentcloud.Key{Secret: testKey, Token: testToken + id})
		env["TENCENTCLOUD_SECRETID"], env["TENCENTCLOUD_SECRETKEY"], env["TENCENTCLOUD_SESSIONTOKEN"] = id, testKey, testToken+id
	}
	c := newCluster()
	c.CKafka.SecretID, c.CKafka.SecretKey = "", ""
	r := newTLSReader(t, cloud, tencent.Credential{Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}, c)

	_, err := r.Read(t.Context())
	if e, ok := errors.AsType[*tencent.Error](err); !ok || e.Kind != tencent.Credentials || !strings.Contains(e.Text("zh"), "请填写 secret_id") {
		t.Errorf("error without a key = %v, want a credentials error", err)
	}
	setRoleKey("AKIDone")
	if _, err := r.Read(t.Context()); err != nil {
		t.Error(err)
	}
	cloud.RemoveKey("AKIDone")
	if _, err := r.Read(t.Context()); err == nil {
		t.Error("error with a removed key = nil, want one")
	}
	setRoleKey("AKIDtwo")
	if _, err := r.Read(t.Context()); err != nil {
		t.Error(err)
	}
}

// More groups than fit into a poll's time are read in turn.
func TestReadsRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const groups, fit = 100, 30
		cloud := newCloud(newGroups(groups, 1, 1))
		r := newReader(t, cloud, newCluster())
		r.limiter = tencent.NewLimiter(10, 1) // and 3 s to read with
		polls := map[string]int{}
		for range groups/(fit-5) + 1 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			snap, err := r.Read(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range snap.Groups {
				if g.Err == nil {
					polls[g.Name]++
				}
			}
			time.Sleep(time.Minute)
		}
		if len(polls) != groups {
			t.Errorf("%d of %d groups were read", len(polls), groups)
		}
	})
}
