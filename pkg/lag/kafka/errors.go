package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrorKind classifies an Error. The values are stable.
type ErrorKind string

const (
	// Credentials: the user, password or key was rejected.
	Credentials ErrorKind = "credentials"
	// Permission: the user lacks a permission.
	Permission ErrorKind = "permission"
	// Network: a broker could not be reached.
	Network ErrorKind = "network"
	// Timeout: a broker did not answer in time.
	Timeout ErrorKind = "timeout"
	// Version: the brokers are too old.
	Version ErrorKind = "version"
	// Config: the certificate is not trusted, or the broker does not use TLS.
	Config ErrorKind = "config"
	// Broker: a broker returned an error or an invalid response.
	Broker ErrorKind = "broker"
)

// Error is the reason why something could not be read. It contains no secret.
type Error struct {
	Kind ErrorKind
	// Err is the cause: a *kerr.Error for a code from a broker, or nil.
	Err error

	zh, en  string
	refresh bool // the leader or coordinator may have moved: look it up again
}

// Error returns the English text: the problem and its remedy.
func (e *Error) Error() string { return e.en }

// Text returns the problem and its remedy in a language, "zh" or "en".
func (e *Error) Text(lang string) string {
	if lang == "zh" {
		return e.zh
	}
	return e.en
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// unsupported reports whether the brokers do not know the request: they are older than
// it, or what it is for is not enabled. The client does not export its error.
func (e *Error) unsupported() bool {
	return errors.Is(e.Err, kerr.UnsupportedVersion) || e.Err != nil && strings.HasPrefix(e.Err.Error(), "broker is too old;")
}

// subject is the object of a request in an error text, for example "group
// order-sync", "topic orders" or "the cluster".
type subject struct{ en, zh string }

var clusterSubject = subject{"the cluster", "集群"}

func groupSubject(name string) subject { return subject{"group " + name, "消费组 " + name} }
func topicSubject(name string) subject { return subject{"topic " + name, "主题 " + name} }
func (p topicPartition) subject() subject {
	return subject{fmt.Sprintf("partition %d of topic %s", p.partition, p.topic), fmt.Sprintf("主题 %s 的分区 %d", p.topic, p.partition)}
}

// codeError returns the error for a code in a response; nil for 0.
func codeError(code int16, s subject) *Error {
	err := kerr.TypedErrorForCode(code)
	if err == nil {
		return nil
	}
	e := &Error{Kind: Broker, Err: err}
	switch err {
	case kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed:
		e.Kind = Permission
		e.en = fmt.Sprintf("the user may not describe %s: grant it DESCRIBE on %s", s.en, s.en)
		e.zh = fmt.Sprintf("用户无权查看%s：请授予它对%s 的 DESCRIBE 权限", s.zh, s.zh)
		return e
	case kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.ReplicaNotAvailable, kerr.KafkaStorageError,
		kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable:
		e.refresh = true
	}
	e.en = fmt.Sprintf("%s: the broker answered %s", s.en, err.Message)
	e.zh = fmt.Sprintf("%s：Broker 返回 %s", s.zh, err.Message)
	return e
}

// missingError returns the error for a response that lacks a requested item.
func missingError(s subject) *Error {
	return &Error{
		Kind: Broker,
		en:   fmt.Sprintf("%s: missing in the broker's response", s.en),
		zh:   fmt.Sprintf("%s：Broker 的应答中没有相关内容", s.zh),
	}
}

// leaderError returns the error for a partition without a leader.
func leaderError(p topicPartition) *Error {
	return &Error{
		Kind: Broker, Err: kerr.LeaderNotAvailable, refresh: true,
		en: fmt.Sprintf("%s has no leader: check whether its brokers are down", p.subject().en),
		zh: fmt.Sprintf("%s没有 Leader：请检查其 Broker 是否宕机", p.subject().zh),
	}
}

// versionError returns the error for brokers whose requests lack a needed
// field.
func versionError() *Error {
	return &Error{
		Kind: Version,
		en:   "the brokers are older than Kafka 0.11 and do not report the required offsets: upgrade them",
		zh:   "Broker 版本低于 Kafka 0.11，无法查询所需的位点：请升级",
	}
}

// tlsAlert is in the client's error, which has no type, when a broker responds with an
// alert of TLS to a connection without it.
const tlsAlert = "tls alert record"

// requestError returns the error for a request without a response. who names
// the broker.
func requestError(err error, who string) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e // of a login
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return authError(e, who)
	}
	e := &Error{Kind: Network, Err: err}
	timeout, _ := errors.AsType[net.Error](err)
	_, closed := errors.AsType[*kgo.ErrFirstReadEOF](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plaintext := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), timeout != nil && timeout.Timeout():
		e.Kind = Timeout
		e.en = fmt.Sprintf("%s did not answer in time: check that the function's network can reach it", who)
		e.zh = fmt.Sprintf("%s 未在限定时间内应答：请检查函数网络是否可以访问它", who)
	case untrusted:
		e.Kind = Config
		e.en = fmt.Sprintf("the certificate of %s is not trusted: check tls.ca and tls.server_name (%v)", who, err)
		e.zh = fmt.Sprintf("%s 的证书不受信任：请检查 tls.ca 和 tls.server_name（%v）", who, err)
	case plaintext:
		e.Kind = Config
		e.en = fmt.Sprintf("%s does not use TLS: check its port, or remove tls", who)
		e.zh = fmt.Sprintf("%s 不使用 TLS：请检查端口，或去掉 tls", who)
	case strings.Contains(err.Error(), tlsAlert):
		e.Kind = Config
		e.en = who + " requires TLS: add tls: {}, or check its port"
		e.zh = who + " 要求 TLS：请加上 tls: {}，或检查端口"
	case closed, errors.Is(err, io.EOF):
		// Brokers, and gateways in front of them, close the connection to
		// reject a login without a reason, or TLS at a port without it. A broker
		// that shuts down does it too, but not twice in a row.
		e.Kind = Credentials
		e.en = fmt.Sprintf("%s closed the connection at once: check username and password of sasl, and whether the port uses TLS", who)
		e.zh = fmt.Sprintf("%s 立即断开了连接：请检查 sasl 的用户名和密码，以及该端口是否使用 TLS", who)
	default:
		e.en = fmt.Sprintf("%s could not be reached: check brokers and the function's network (%v)", who, err)
		e.zh = fmt.Sprintf("无法访问 %s：请检查 brokers 和函数网络（%v）", who, err)
	}
	return e
}

// authError returns the error for a code that a broker returned during login.
func authError(err *kerr.Error, who string) *Error {
	switch err {
	case kerr.SaslAuthenticationFailed:
		return &Error{
			Kind: Credentials, Err: err,
			en: who + " rejected the login: check username and password of sasl, with AWS_MSK_IAM the role and its policy, with OAUTHBEARER the client and its scopes",
			zh: who + " 不接受该用户：请检查 sasl 的用户名和密码；使用 AWS_MSK_IAM 时请检查角色及其策略，使用 OAUTHBEARER 时请检查客户端及其 scopes",
		}
	case kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState:
		return &Error{
			Kind: Config, Err: err,
			en: who + " does not support this login mechanism: check sasl.mechanism",
			zh: who + " 不支持该登录方式：请检查 sasl.mechanism",
		}
	}
	return codeError(err.Code, subject{who, who})
}
