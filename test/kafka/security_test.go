package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/test/kafka/broker"
)

const password = "a-password-that-must-not-leak"

// login returns a change of the configuration that logs in at the secure listener.
func (s *scenario) login(mechanism, user, password string) func(*lag.Config) {
	return func(c *lag.Config) {
		k := c.Clusters[0].Kafka
		k.Brokers = s.cluster.SecureAddrs()
		k.TLS = &lag.KafkaTLS{CA: setting.Secret(s.cluster.CA())}
		k.SASL = &lag.KafkaSASL{Mechanism: mechanism, Username: user, Password: setting.Secret(password)}
	}
}

// createUser creates a user without permissions.
func (s *scenario) createUser(name string) {
	s.Helper()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		results, err := s.admin.AlterUserSCRAMs(s.ctx, nil, []kadm.UpsertSCRAM{{User: name, Mechanism: mechanism, Iterations: 4096, Password: password}})
		must(s, err)
		must(s, results.Error())
	}
	s.waitUntil("the broker knows the user", func() bool {
		users, err := s.admin.DescribeUserSCRAMs(s.ctx, name)
		return err == nil && users.Ok() && len(users[name].CredInfos) == 2
	})
}

// describeCluster, describeGroups and describeTopics are the permissions that Tocsin
// needs, those of groups and topics for the names of this test.
func (s *scenario) describeCluster(user string) *kadm.ACLBuilder {
	return kadm.NewACLs().Clusters().Allow("User:" + user).AllowHosts().Operations(kadm.OpDescribe)
}

func (s *scenario) describeGroups(user string) *kadm.ACLBuilder {
	return kadm.NewACLs().Groups(s.name("")).ResourcePatternType(kadm.ACLPatternPrefixed).Allow("User:" + user).AllowHosts().Operations(kadm.OpDescribe)
}

func (s *scenario) describeTopics(user string) *kadm.ACLBuilder {
	return kadm.NewACLs().Topics(s.name("")).ResourcePatternType(kadm.ACLPatternPrefixed).Allow("User:" + user).AllowHosts().Operations(kadm.OpDescribe)
}

func (s *scenario) grant(acls ...*kadm.ACLBuilder) {
	s.Helper()
	for _, acl := range acls {
		results, err := s.admin.CreateACLs(s.ctx, acl)
		must(s, err)
		for _, r := range results {
			must(s, r.Err)
		}
	}
}

func (s *scenario) revoke(acl *kadm.ACLBuilder) {
	s.Helper()
	results, err := s.admin.DeleteACLs(s.ctx, acl)
	must(s, err)
	for _, r := range results {
		must(s, r.Err)
		if len(r.Deleted) == 0 {
			s.Fatal("got no permission to revoke, want one")
		}
	}
}

func TestLogin(t *testing.T) {
	for _, mechanism := range []string{lag.Plain, lag.ScramSHA256, lag.ScramSHA512} {
		t.Run(mechanism, func(t *testing.T) {
			s := on(t, kafka4)
			topic, group, user, secret := s.createTopic("orders", 1), s.name("billing"), s.name("tocsin"), password
			if mechanism == lag.Plain {
				user, secret = broker.PlainUser, broker.PlainPassword
			} else {
				s.createUser(user)
			}
			s.grant(s.describeGroups(user), s.describeTopics(user))
			s.produce(topic, 0, 30)
			s.commit(group, topic, 0, 5)
			m := s.monitor(s.login(mechanism, user, secret))
			m.poll(9)
			m.wantRow(group, topic, 25, trend.Stopped)
			m.wantAlerts(stopped)
		})
	}
}

func TestLoginFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(s *scenario, k *lag.Kafka)
		want   string
	}{
		{"wrong password", func(_ *scenario, k *lag.Kafka) { k.SASL.Password = "another" }, "rejected the login"},
		{"unknown user", func(_ *scenario, k *lag.Kafka) { k.SASL.Username = "nobody" }, "rejected the login"},
		{"no login", func(_ *scenario, k *lag.Kafka) { k.SASL = nil }, "check username and password of sasl"},
		{"untrusted certificate", func(_ *scenario, k *lag.Kafka) { k.TLS = &lag.KafkaTLS{} }, "is not trusted"},
		{"no TLS at a port with it", func(_ *scenario, k *lag.Kafka) { k.TLS = nil }, "requires TLS: add tls: {}"},
		{"TLS at a port without it", func(s *scenario, k *lag.Kafka) { k.Brokers = s.cluster.Addrs() }, "whether the port uses TLS"},
		{"login at a port without it", func(s *scenario, k *lag.Kafka) { k.Brokers, k.TLS = s.cluster.Addrs(), nil }, "does not support this login mechanism"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := on(t, kafka4)
			user := s.name("tocsin")
			s.createUser(user)
			m := s.monitor(s.login(lag.ScramSHA256, user, password), func(c *lag.Config) { tt.change(s, c.Clusters[0].Kafka) })
			m.poll(2)
			m.wantAlerts(alert.PollFailedAlert)
			m.wantText(alert.PollFailedAlert, "", tt.want)
		})
	}
}

// TestRevokedPermissions revokes permissions of Tocsin while the alert of a group fires.
// It goes on, and another alert names the permission that is missing.
func TestRevokedPermissions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		revoke func(s *scenario, user string)
		want   func(m *monitor, group, topic string)
	}{
		{"cluster", func(s *scenario, user string) { s.revoke(s.describeCluster(user)) }, func(m *monitor, group, topic string) {
			m.wantRow(group, topic, 25, trend.Stopped)
			m.wantAlerts(stopped)
		}},
		{"topic", func(s *scenario, user string) { s.revoke(s.describeTopics(user)) }, func(m *monitor, group, topic string) {
			m.wantText(alert.PollFailedAlert, group, "grant it DESCRIBE on topic "+topic)
		}},
		{"group", func(s *scenario, user string) { s.revoke(s.describeGroups(user)) }, func(m *monitor, group, topic string) {
			m.wantText(alert.PollFailedAlert, group, "grant it DESCRIBE on group "+group)
		}},
		{"cluster and group", func(s *scenario, user string) {
			s.revoke(s.describeCluster(user))
			s.revoke(s.describeGroups(user))
		}, func(m *monitor, group, topic string) {
			m.wantText(alert.PollFailedAlert, group, "grant it DESCRIBE on group "+group)
		}},
	} {
		for name, opts := range map[string][]kgo.Opt{"classic": nil, "KIP-848": {kip848()}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				s := on(t, kafka4)
				s.protocol = opts
				topic, group, user := s.createTopic("orders", 1), s.name("billing"), s.name("tocsin")
				s.createUser(user)
				s.grant(s.describeCluster(user), s.describeGroups(user), s.describeTopics(user))
				c := s.join(group, []string{topic})
				s.produce(topic, 0, 30)
				c.consume(5)
				c.leave()
				m := s.monitor(s.login(lag.ScramSHA256, user, password))
				m.poll(9)
				m.wantAlerts(stopped)
				tt.revoke(s, user)
				m.poll(3)
				tt.want(m, group, topic)
				m.wantStarted(-11 * time.Minute)
				s.grant(s.describeCluster(user), s.describeGroups(user), s.describeTopics(user))
				m.poll(2)
				m.wantRow(group, topic, 25, trend.Stopped)
				m.wantAlerts(stopped)
			})
		}
	}
}
