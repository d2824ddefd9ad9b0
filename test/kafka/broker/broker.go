// Package broker runs clusters of Apache Kafka from the published jars, on 127.0.0.1.
package broker

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// startTimeout is how long a cluster may take to start on a busy machine.
const startTimeout = 2 * time.Minute

// Config configures a cluster.
type Config struct {
	// Version is a release: V4, V3 or V2.
	Version string
	// Brokers is the number of brokers, 1 by default. Their node ids count from 1.
	Brokers int
	// Secure adds a listener with TLS and logins, and enables access control: clients of
	// the other listener may do everything, users of the secure one only what access
	// control lists allow. It needs KRaft.
	Secure bool
	// Properties are added to those of every broker, and win.
	Properties map[string]string
}

// A user with PlainUser and PlainPassword may log in with PLAIN at a secure listener.
// Users of SCRAM are created with an admin client; with OAUTHBEARER any name in an
// unsigned token is accepted.
const PlainUser, PlainPassword = "plain-user", "plain-password"

// Cluster is a running cluster. Before Kafka 4 its groups are classic; V2 is
// coordinated by ZooKeeper, the others by the brokers themselves (KRaft).
type Cluster struct {
	Config
	dir, jars string
	zookeeper *process
	nodes     map[int32]*node
	client    *kgo.Client
	// ca is the certificate of the secure listeners, in PEM.
	ca string
}

// node is one broker.
type node struct {
	dir                      string
	port, controller, secure int
	*process
}

// Start starts a cluster and returns when all brokers have joined it. Close stops it;
// it does not outlive this program. An error is an *UnavailableError if this machine
// cannot run the release.
func (c Config) Start(ctx context.Context) (_ *Cluster, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c.Brokers = max(c.Brokers, 1)
	k := &Cluster{Config: c, nodes: map[int32]*node{}}
	if k.jars, err = Jars(ctx, c.Version); err != nil {
		return nil, err
	}
	if k.dir, err = os.MkdirTemp("", "kafka"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	for id := range int32(c.Brokers) {
		k.nodes[id+1] = &node{dir: filepath.Join(k.dir, fmt.Sprint("broker-", id+1)), port: freePort(), controller: freePort(), secure: freePort()}
	}
	if c.Secure {
		if k.ca, err = writeCertificate(k.keystore()); err != nil {
			return nil, err
		}
	}
	zookeeper := ""
	if c.Version == V2 {
		if zookeeper, err = k.startZooKeeper(ctx); err != nil {
			return nil, err
		}
	}
	var starts errgroup.Group
	for id, n := range k.nodes {
		starts.Go(func() error {
			if err := os.Mkdir(n.dir, 0o755); err != nil {
				return err
			}
			if err := k.properties(id, zookeeper).write(n.propertiesFile()); err != nil {
				return err
			}
			if zookeeper == "" {
				if _, err := k.Tool(ctx, "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", n.propertiesFile()); err != nil {
					return err
				}
			}
			return k.startNode(n)
		})
	}
	if err := starts.Wait(); err != nil {
		return nil, err
	}
	if k.client, err = kgo.NewClient(kgo.SeedBrokers(k.Addrs()...), kgo.MetadataMinAge(10*time.Millisecond)); err != nil {
		return nil, err
	}
	return k, k.WaitReady(ctx)
}

// clusterID is the id of every cluster.
const clusterID = "AAAAAAAAAAAAAAAAAAAAAQ"

func (n *node) propertiesFile() string { return filepath.Join(n.dir, "server.properties") }
func (n *node) addr() string           { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port)) }
func (n *node) secureAddr() string     { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.secure)) }

// properties are the properties of a broker or of ZooKeeper.
type properties map[string]string

func (p properties) write(name string) error {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", key, p[key])
	}
	return os.WriteFile(name, []byte(b.String()), 0o600)
}

// properties returns the properties of a broker. Everything that makes a broker wait
// is shortened.
func (k *Cluster) properties(id int32, zookeeper string) properties {
	n := k.nodes[id]
	replicas := strconv.Itoa(min(len(k.nodes), 3))
	p := properties{
		"listeners":                                "PLAINTEXT://" + n.addr(),
		"advertised.listeners":                     "PLAINTEXT://" + n.addr(),
		"inter.broker.listener.name":               "PLAINTEXT",
		"log.dirs":                                 filepath.Join(n.dir, "data"),
		"auto.create.topics.enable":                "false",
		"offsets.topic.num.partitions":             "4",
		"offsets.topic.replication.factor":         replicas,
		"transaction.state.log.num.partitions":     "2",
		"transaction.state.log.replication.factor": replicas,
		"transaction.state.log.min.isr":            "1",
		"log.retention.check.interval.ms":          "500",
		"log.initial.task.delay.ms":                "500",
		"log.segment.delete.delay.ms":              "100",
		"log.cleaner.backoff.ms":                   "500",
		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "1000",
		"controlled.shutdown.enable":               "false",
	}
	switch {
	case zookeeper != "":
		p["broker.id"] = fmt.Sprint(id)
		p["zookeeper.connect"] = zookeeper
	default:
		var voters []string
		for id, n := range k.nodes {
			voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", id, n.controller))
		}
		maps.Copy(p, properties{
			"node.id":                        fmt.Sprint(id),
			"process.roles":                  "broker,controller",
			"listeners":                      fmt.Sprintf("%s,CONTROLLER://127.0.0.1:%d", p["listeners"], n.controller),
			"controller.listener.names":      "CONTROLLER",
			"controller.quorum.voters":       strings.Join(voters, ","),
			"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"broker.session.timeout.ms":      "4000",
			"broker.heartbeat.interval.ms":   "500",
		})
	}
	if k.Version == V4 {
		maps.Copy(p, properties{
			"share.coordinator.state.topic.num.partitions":     "2",
			"share.coordinator.state.topic.replication.factor": replicas,
			"share.coordinator.state.topic.min.isr":            "1",
			"group.consumer.min.heartbeat.interval.ms":         "100",
			"group.consumer.heartbeat.interval.ms":             "500",
			"group.consumer.min.session.timeout.ms":            "1000",
			"group.consumer.session.timeout.ms":                "4000",
			"group.share.min.heartbeat.interval.ms":            "100",
			"group.share.heartbeat.interval.ms":                "500",
			"group.streams.min.heartbeat.interval.ms":          "100",
			"group.streams.heartbeat.interval.ms":              "500",
			"group.streams.initial.rebalance.delay.ms":         "0",
		})
	}
	if k.Secure {
		p["listeners"] += ",SECURE://" + n.secureAddr()
		p["advertised.listeners"] += ",SECURE://" + n.secureAddr()
		p["listener.security.protocol.map"] += ",SECURE:SASL_SSL"
		maps.Copy(p, k.security())
	}
	maps.Copy(p, k.Properties)
	return p
}

// startZooKeeper starts ZooKeeper and returns its address.
func (k *Cluster) startZooKeeper(ctx context.Context) (string, error) {
	port := freePort()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	name := filepath.Join(k.dir, "zookeeper.properties")
	err := properties{
		"dataDir":            filepath.Join(k.dir, "zookeeper"),
		"clientPort":         strconv.Itoa(port),
		"clientPortAddress":  "127.0.0.1",
		"admin.enableServer": "false",
		"tickTime":           "500",
	}.write(name)
	if err != nil {
		return "", err
	}
	k.zookeeper, err = k.start(filepath.Join(k.dir, "zookeeper.log"), "org.apache.zookeeper.server.ZooKeeperServerMain", name)
	if err != nil {
		return "", err
	}
	return addr, k.zookeeper.wait(ctx, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (k *Cluster) startNode(n *node) (err error) {
	n.process, err = k.start(filepath.Join(n.dir, "log"), "kafka.Kafka", n.propertiesFile())
	return err
}

// WaitReady returns when all brokers that run have joined the cluster and no others
// are in it.
func (k *Cluster) WaitReady(ctx context.Context) error {
	admin := kadm.NewClient(k.client)
	running := 0
	for _, n := range k.nodes {
		if !n.exited() {
			running++
		}
	}
	for _, n := range k.nodes {
		if n.exited() {
			continue
		}
		err := n.wait(ctx, func() bool {
			list, err := admin.ListBrokers(ctx)
			return err == nil && len(list) == running
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Addrs returns the addresses of the brokers, host:port, ordered by node id.
func (k *Cluster) Addrs() []string {
	var addrs []string
	for _, id := range slices.Sorted(maps.Keys(k.nodes)) {
		addrs = append(addrs, k.nodes[id].addr())
	}
	return addrs
}

// SecureAddrs returns the addresses of the secure listeners, ordered by node id.
func (k *Cluster) SecureAddrs() []string {
	var addrs []string
	for _, id := range slices.Sorted(maps.Keys(k.nodes)) {
		addrs = append(addrs, k.nodes[id].secureAddr())
	}
	return addrs
}

// CA returns the authority that signed the certificates of the secure listeners, in PEM.
func (k *Cluster) CA() string { return k.ca }

// Kill kills a broker, like a crash of its machine.
func (k *Cluster) Kill(id int32) { k.nodes[id].kill() }

// Restart starts a broker again that was killed, on the same port with the data that it
// had, and returns when it has joined the cluster.
func (k *Cluster) Restart(ctx context.Context, id int32) error {
	if err := k.startNode(k.nodes[id]); err != nil {
		return err
	}
	return k.WaitReady(ctx)
}

// Close kills all brokers and deletes their data.
func (k *Cluster) Close() error {
	if k.client != nil {
		k.client.Close()
	}
	for _, n := range k.nodes {
		n.kill()
	}
	k.zookeeper.kill()
	return os.RemoveAll(k.dir)
}

// freePort returns a TCP port on 127.0.0.1 that was free a moment ago, outside the range
// from which operating systems choose the ports of outgoing connections.
func freePort() int {
	for {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			listener.Close()
			return port
		}
	}
}
