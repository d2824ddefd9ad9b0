package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/lag"
	reader "tocsin/pkg/lag/kafka"
	"tocsin/pkg/localcloud/kafka"
)

// roles are what this program does in processes of its own: a Kafka, and a reader
// whose memory and time are its own.
var roles = map[string]func(args []string){"as-kafka": asKafka, "as-lag": asLag, "as-kadm": asKadm}

// The cluster is three brokers that take a millisecond for an answer, 200 topics
// of 12 partitions, and 100 groups. A group has read so many topics.
const (
	kafkaBrokers    = 3
	kafkaTopics     = 200
	kafkaPartitions = 12
	kafkaGroups     = 100
	kafkaLatency    = time.Millisecond
	kafkaRuns       = 7
)

// kafkaRead is what a reader tells of itself.
type kafkaRead struct {
	Wall   time.Duration
	Memory int64 // bytes, at most
	Rows   int
}

// kafka measures a cold read of the lag of 2,400, 24,000 and 240,000 partitions
// of groups, beside kadm.Lag in a process of the same kind.
func (b *bench) kafka(ctx context.Context) ([]row, error) {
	var rows []row
	for _, topics := range []int{2, 20, 200} {
		more, err := b.kafkaOf(ctx, topics)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) kafkaOf(ctx context.Context, topics int) ([]row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, self, "as-kafka", strconv.Itoa(topics))
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer server.Wait()
	defer in.Close()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return nil, fmt.Errorf("the Kafka did not start")
	}
	brokers := lines.Text()
	// requests asks the Kafka how many it has got since the last time.
	requests := func() (int, error) {
		fmt.Fprintln(in)
		if !lines.Scan() {
			return 0, fmt.Errorf("the Kafka is gone")
		}
		return strconv.Atoi(lines.Text())
	}
	want := topics * kafkaPartitions * kafkaGroups
	var wall [2]sample
	var memory [2]int64
	var asked [2]int
	for range kafkaRuns {
		for i, who := range []string{"as-lag", "as-kadm"} {
			if _, err := requests(); err != nil {
				return nil, err
			}
			cmd := exec.CommandContext(ctx, self, who, brokers)
			cmd.Stderr = os.Stderr
			answer, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", who, err)
			}
			var r kafkaRead
			if err := json.Unmarshal(answer, &r); err != nil {
				return nil, err
			}
			if r.Rows != want {
				return nil, fmt.Errorf("%s read %d rows, want %d", who, r.Rows, want)
			}
			n, err := requests()
			if err != nil {
				return nil, err
			}
			wall[i], memory[i], asked[i] = append(wall[i], r.Wall), max(memory[i], r.Memory), n
		}
	}
	what := fmt.Sprintf("lag of %d group-partitions over Kafka's protocol, cold", want)
	limit := map[int]string{20: "40 MB", 200: "150 MB"}[topics]
	return []row{
		{what, wall[0].String(), "kadm.Lag: " + wall[1].String(), ratio(wall[0].median(), wall[1].median()), "1.0"},
		{what + ": requests", strconv.Itoa(asked[0]), fmt.Sprintf("kadm.Lag: %d", asked[1]), ratio(asked[0], asked[1]), "25"},
		{what + ": memory", mb(memory[0]), "kadm.Lag: " + mb(memory[1]), ratio(memory[0], memory[1]), limit},
	}, nil
}

// fail ends a role.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// asKafka prints the brokers' addresses, and then, for every line that it reads,
// how many requests it has got since the last one.
func asKafka(args []string) {
	topics, err := strconv.Atoi(args[0])
	if err != nil {
		fail(err)
	}
	c := kafka.Config{Topics: map[string]int32{}, Brokers: kafkaBrokers, Latency: kafkaLatency}
	for i := range kafkaTopics {
		c.Topics[fmt.Sprintf("topic-%03d", i)] = kafkaPartitions
	}
	ctx := context.Background()
	k, err := c.Start(ctx)
	if err != nil {
		fail(err)
	}
	for g := range kafkaGroups {
		var offsets kadm.Offsets
		for i := range topics {
			for p := range int32(kafkaPartitions) {
				offsets.AddOffset(fmt.Sprintf("topic-%03d", (g*topics+i)%kafkaTopics), p, 0, -1)
			}
		}
		if err := k.Admin().CommitAllOffsets(ctx, fmt.Sprintf("group-%03d", g), offsets); err != nil {
			fail(err)
		}
	}
	fmt.Println(strings.Join(k.Brokers(), ","))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n := 0
		for _, asked := range k.RequestCounts() {
			n += asked
		}
		fmt.Println(n)
	}
}

// asLag reads the lag once, as the lag function does.
func asLag(args []string) {
	begin := time.Now()
	r, err := reader.New(lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: strings.Split(args[0], ",")}}, os.LookupEnv)
	if err != nil {
		fail(err)
	}
	snap, err := r.Read(context.Background())
	if err != nil {
		fail(err)
	}
	took, rows := time.Since(begin), 0
	for _, g := range snap.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if p.Known {
					rows++
				}
			}
		}
	}
	told(took, rows)
}

func asKadm(args []string) {
	begin := time.Now()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(args[0], ",")...))
	if err != nil {
		fail(err)
	}
	lags, err := kadm.NewClient(client).Lag(context.Background())
	if err != nil {
		fail(err)
	}
	took, rows := time.Since(begin), 0
	for _, g := range lags {
		for _, partitions := range g.Lag {
			rows += len(partitions)
		}
	}
	told(took, rows)
}

// told prints what a reader tells of itself. Its own most memory is not that of
// getrusage, which begins with what the process had that started it.
func told(wall time.Duration, rows int) {
	most, err := memoryOf(os.Getpid(), "VmHWM")
	if err != nil {
		fail(err)
	}
	json.NewEncoder(os.Stdout).Encode(kafkaRead{Wall: wall, Memory: most, Rows: rows})
}
