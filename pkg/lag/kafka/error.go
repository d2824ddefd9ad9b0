package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kind is what sort of thing went wrong. The values are stable.
type ErrorKind string

const (
	// Credentials: the user, its password or its key is not accepted.
	Credentials ErrorKind = "credentials"
	// Permission: the user lacks a right.
	Permission ErrorKind = "permission"
	// Network: a broker could not be reached.
	Network ErrorKind = "network"
	// Timeout: a broker did not answer in time.
	Timeout ErrorKind = "timeout"
	// Version: the brokers are too old.
	Version ErrorKind = "version"
	// Config: the certificate is not trusted, or TLS meets none.
	Config ErrorKind = "config"
	// Broker: a broker refused, or gave an answer that makes no sense.
	Broker ErrorKind = "broker"
)

// Error is why something could not be read. It contains no secret.
type Error struct {
	Kind ErrorKind
	// Err is the cause: a *kerr.Error when a broker named one.
	Err error

	zh, en string
	moved  bool // somebody else may know the answer now
}

// Error says in English what went wrong and what to do about it.
func (e *Error) Error() string { return e.en }

// Text says in a language, "zh" or "en", what went wrong and what to do about it.
func (e *Error) Text(lang string) string {
	if lang == "zh" {
		return e.zh
	}
	return e.en
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// subject is what a request was about: "group order-sync", "topic orders", or
// "the cluster".
type subject struct{ en, zh string }

var theCluster = subject{"the cluster", "集群"}

func theGroup(name string) subject { return subject{"group " + name, "消费组 " + name} }
func theTopic(name string) subject { return subject{"topic " + name, "主题 " + name} }
func (p place) subject() subject {
	return subject{fmt.Sprintf("partition %d of topic %s", p.partition, p.topic), fmt.Sprintf("主题 %s 的分区 %d", p.topic, p.partition)}
}

// refused explains a code with which a broker answered; nil for none.
func refused(code int16, s subject) *Error {
	err := kerr.TypedErrorForCode(code)
	if err == nil {
		return nil
	}
	e := &Error{Kind: Broker, Err: err}
	switch err {
	case kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed:
		e.Kind = Permission
		e.en = fmt.Sprintf("the user may not see %s: give it the right DESCRIBE on %s", s.en, s.en)
		e.zh = fmt.Sprintf("用户无权查看%s：请授予它对%s 的 DESCRIBE 权限", s.zh, s.zh)
		return e
	case kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.ReplicaNotAvailable, kerr.KafkaStorageError,
		kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable:
		e.moved = true
	}
	e.en = fmt.Sprintf("%s: the broker answered %s", s.en, err.Message)
	e.zh = fmt.Sprintf("%s：Broker 返回 %s", s.zh, err.Message)
	return e
}

// senseless is an answer that lacks what was asked for.
func senseless(s subject) *Error {
	return &Error{
		Kind: Broker,
		en:   fmt.Sprintf("%s: the broker's answer says nothing of it", s.en),
		zh:   fmt.Sprintf("%s：Broker 的应答中没有相关内容", s.zh),
	}
}

// leaderless is a partition that no broker leads.
func leaderless(p place) *Error {
	return &Error{
		Kind: Broker, Err: kerr.LeaderNotAvailable, moved: true,
		en: fmt.Sprintf("%s has no leader: see which of its brokers are down", p.subject().en),
		zh: fmt.Sprintf("%s没有 Leader：请检查其 Broker 是否宕机", p.subject().zh),
	}
}

// tooOld is a cluster that cannot tell what is asked of it.
func tooOld() *Error {
	return &Error{
		Kind: Version,
		en:   "the brokers are older than Kafka 0.11, which cannot tell the offsets: upgrade them",
		zh:   "Broker 版本低于 Kafka 0.11，无法查询所需的位点：请升级",
	}
}

// unanswered explains why no answer came from a broker; who names it.
func unanswered(err error, who string) *Error {
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return unauthenticated(e, who)
	}
	e := &Error{Kind: Network, Err: err}
	timeout, _ := errors.AsType[net.Error](err)
	_, closed := errors.AsType[*kgo.ErrFirstReadEOF](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plaintext := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), timeout != nil && timeout.Timeout():
		e.Kind = Timeout
		e.en = fmt.Sprintf("%s did not answer in time: check that the function's network has a way to it", who)
		e.zh = fmt.Sprintf("%s 未在限定时间内应答：请检查函数网络是否可以访问它", who)
	case untrusted:
		e.Kind = Config
		e.en = fmt.Sprintf("the certificate of %s is not trusted: check tls.ca and tls.server_name (%v)", who, err)
		e.zh = fmt.Sprintf("%s 的证书不受信任：请检查 tls.ca 和 tls.server_name（%v）", who, err)
	case plaintext:
		e.Kind = Config
		e.en = fmt.Sprintf("%s does not speak TLS: check its port, or leave tls out", who)
		e.zh = fmt.Sprintf("%s 不使用 TLS：请检查端口，或去掉 tls", who)
	case closed, errors.Is(err, io.EOF):
		// So do brokers, and gateways before them, that do not say why they
		// refuse a login. One that stops does too, but not twice in a row.
		e.Kind = Credentials
		e.en = fmt.Sprintf("%s ended the connection at once: check user name and password of sasl, and whether the port wants TLS", who)
		e.zh = fmt.Sprintf("%s 立即断开了连接：请检查 sasl 的用户名和密码，以及该端口是否要求 TLS", who)
	case errors.Is(err, errNoKey):
		e.Kind = Credentials
		e.en = "there is no key to log in with: " + errNoKey.Error() + "; give the function a role"
		e.zh = "没有可用于登录的密钥：未设置 AWS_ACCESS_KEY_ID 和 AWS_SECRET_ACCESS_KEY，请为函数配置角色"
	default:
		e.en = fmt.Sprintf("%s could not be reached: check brokers and the function's network (%v)", who, err)
		e.zh = fmt.Sprintf("无法访问 %s：请检查 brokers 和函数网络（%v）", who, err)
	}
	return e
}

// unauthenticated explains an error that a broker gave before it took requests.
func unauthenticated(err *kerr.Error, who string) *Error {
	switch err {
	case kerr.SaslAuthenticationFailed:
		return &Error{
			Kind: Credentials, Err: err,
			en: who + " does not accept the user: check user name and password of sasl, or with AWS_MSK_IAM the function's role",
			zh: who + " 不接受该用户：请检查 sasl 的用户名和密码；使用 AWS_MSK_IAM 时请检查函数的角色",
		}
	case kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState:
		return &Error{
			Kind: Config, Err: err,
			en: who + " does not offer this way to log in: check sasl.mechanism",
			zh: who + " 不支持该登录方式：请检查 sasl.mechanism",
		}
	}
	return refused(err.Code, subject{who, who})
}
