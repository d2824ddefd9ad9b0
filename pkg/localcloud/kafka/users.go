package kafka

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// owner is the user, and the password, of the cluster's own producers and
// consumers.
const owner = "owner-of-the-local-kafka"

// User is one who may log in, and do what ACLs allow and nothing else.
type User struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	Mechanism      string
	Name, Password string
	ACLs           []ACL
}

// ACL is an entry of the access control list.
type ACL = kfake.ACL

// AllowDescribeCluster allows, among other things, to list every group.
func AllowDescribeCluster() ACL { return describe(kmsg.ACLResourceTypeCluster, "kafka-cluster") }

// AllowDescribeGroup allows to see a group and its offsets; "*" is every group.
func AllowDescribeGroup(name string) ACL { return describe(kmsg.ACLResourceTypeGroup, name) }

// AllowDescribeTopic allows to see a topic and its offsets; "*" is every topic.
func AllowDescribeTopic(name string) ACL { return describe(kmsg.ACLResourceTypeTopic, name) }

func describe(resource kmsg.ACLResourceType, name string) ACL {
	return ACL{
		Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral,
		Operation: kmsg.ACLOperationDescribe, Allow: true,
	}
}

// admit lets the owner and users in.
func admit(users []User) []kfake.Opt {
	opts := []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", owner, owner)}
	for _, u := range users {
		opts = append(opts, kfake.User(u.Mechanism, u.Name, u.Password, u.ACLs...))
	}
	return opts
}
