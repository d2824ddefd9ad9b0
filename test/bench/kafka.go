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

// subprocesses are the parts of this program that run in processes of their
// own: a Kafka cluster, and readers whose memory and time are measured
// separately.
var subprocesses = map[string]func(args []string){"as-kafka": runKafka, "as-lag": runLag, "as-kadm": runKadm}

// The cluster has three brokers that respond after a millisecond, 200 topics of
// 12 partitions, and 100 groups.
const (
	kafkaBrokers    = 3
	kafkaTopics     = 200
	kafkaPartitions = 12
	kafkaGroups     = 100
	kafkaLatency    = time.Millisecond
	kafkaRuns       = 7
)

// kafkaRead is the result of a reader.
type kafkaRead struct {
	Wall   time.Duration
	Memory int64 // peak, in bytes
	Rows   int
}

// kafka measures a cold read of the lag of 2,400, 24,000 and 240,000
// group-partitions, and kadm.Lag in an equal process.
func (b *bench) kafka(ctx context.Context) ([]row, error) {
	var rows []row
	for _, topics := range []int{2, 20, 200} {
		more, err := b.kafkaWithTopics(ctx, topics)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) kafkaWithTopics(ctx context.Context, topics int) ([]row, error) {
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
		return nil, fmt.Errorf("the Kafka cluster has not started")
	}
	brokers := lines.Text()
	// requests returns how many requests the cluster got since the last call.
	requests := func() (int, error) {
		fmt.Fprintln(in)
		if !lines.Scan() {
			return 0, fmt.Errorf("the Kafka cluster has ended")
		}
		return strconv.Atoi(lines.Text())
	}
	want := topics * kafkaPartitions * kafkaGroups
	var wall [2]sample
	var memory [2]int64
	var count [2]int
	for range kafkaRuns {
		for i, reader := range []string{"as-lag", "as-kadm"} {
			if _, err := requests(); err != nil {
				return nil, err
			}
			cmd := exec.CommandContext(ctx, self, reader, brokers)
			cmd.Stderr = os.Stderr
			output, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", reader, err)
			}
			var r kafkaRead
			if err := json.Unmarshal(output, &r); err != nil {
				return nil, err
			}
			if r.Rows != want {
				return nil, fmt.Errorf("%s read %d partitions, want %d", reader, r.Rows, want)
			}
			n, err := requests()
			if err != nil {
				return nil, err
			}
			wall[i], memory[i], count[i] = append(wall[i], r.Wall), max(memory[i], r.Memory), n
		}
	}
	name := fmt.Sprintf("cold read of the lag of %d group-partitions over the Kafka protocol", want)
	limit := map[int]string{20: "40 MB", 200: "150 MB"}[topics]
	return []row{
		{name + ": time", wall[0].String(), "kadm.Lag: " + wall[1].String(), ratio(wall[0].median(), wall[1].median()), "1.0"},
		{name + ": requests", strconv.Itoa(count[0]), fmt.Sprintf("kadm.Lag: %d", count[1]), ratio(count[0], count[1]), "25 requests"},
		{name + ": memory", megabytes(memory[0]), "kadm.Lag: " + megabytes(memory[1]), ratio(memory[0], memory[1]), limit},
	}, nil
}

// exit ends a subprocess with an error.
func exit(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// runKafka prints the addresses of the brokers, and then, for each line that it
// reads, the number of requests since the last one.
func runKafka(args []string) {
	topics, err := strconv.Atoi(args[0])
	if err != nil {
		exit(err)
	}
	c := kafka.Config{Topics: map[string]int32{}, Brokers: kafkaBrokers, Latency: kafkaLatency}
	for i := range kafkaTopics {
		c.Topics[fmt.Sprintf("topic-%03d", i)] = kafkaPartitions
	}
	ctx := context.Background()
	k, err := c.Start(ctx)
	if err != nil {
		exit(err)
	}
	for g := range kafkaGroups {
		var offsets kadm.Offsets
		for i := range topics {
			for p := range int32(kafkaPartitions) {
				offsets.AddOffset(fmt.Sprintf("topic-%03d", (g*topics+i)%kafkaTopics), p, 0, -1)
			}
		}
		if err := k.Admin().CommitAllOffsets(ctx, fmt.Sprintf("group-%03d", g), offsets); err != nil {
			exit(err)
		}
	}
	fmt.Println(strings.Join(k.Brokers(), ","))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n := 0
		for _, count := range k.RequestCounts() {
			n += count
		}
		fmt.Println(n)
	}
}

// runLag reads the lag once, as the lag function does.
func runLag(args []string) {
	begin := time.Now()
	r, err := reader.New(lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: strings.Split(args[0], ",")}}, os.LookupEnv, nil)
	if err != nil {
		exit(err)
	}
	snap, err := r.Read(context.Background())
	if err != nil {
		exit(err)
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
	printKafkaRead(took, rows)
}

func runKadm(args []string) {
	begin := time.Now()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(args[0], ",")...))
	if err != nil {
		exit(err)
	}
	lags, err := kadm.NewClient(client).Lag(context.Background())
	if err != nil {
		exit(err)
	}
	took, rows := time.Since(begin), 0
	for _, g := range lags {
		for _, partitions := range g.Lag {
			rows += len(partitions)
		}
	}
	printKafkaRead(took, rows)
}

// printKafkaRead prints the result of a reader. Its peak memory is not taken
// from getrusage, which includes the memory of the parent process at the start.
func printKafkaRead(wall time.Duration, rows int) {
	peak, err := processMemory(os.Getpid(), "VmHWM")
	if err != nil {
		exit(err)
	}
	json.NewEncoder(os.Stdout).Encode(kafkaRead{Wall: wall, Memory: peak, Rows: rows})
}
