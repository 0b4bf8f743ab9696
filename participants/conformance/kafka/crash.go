package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants/conformance"
)

var _ conformance.Crasher = (*Link)(nil)

// Hold implements conformance.Crasher: the topic is not there yet, so no client can write to it.
func (l *Link) Hold(context.Context) (string, error) {
	l.held++
	return fmt.Sprintf("%s.%d", l.replies, l.held), nil
}

// Release implements conformance.Crasher: it makes the topic. Where somebody has, the reply may have been written before the crash.
func (l *Link) Release(ctx context.Context, topic string) error {
	there, err := l.exists(topic)
	if err != nil {
		return err
	}
	if there {
		l.made = append(l.made, topic)
		return fmt.Errorf("%w: the broker makes topics that are mentioned (auto.create.topics.enable)", conformance.ErrCannotHold)
	}
	if err := l.makeTopic(ctx, topic); err != nil {
		return err
	}
	return l.read(topic)
}

// Kill implements conformance.Crasher. The group is told that its member is gone, so that the next need not wait for its session to end.
func (l *Link) Kill(context.Context) error {
	if err := l.config.Process.Kill(); err != nil {
		return fmt.Errorf("kill the participant: %w", err)
	}
	return l.forget()
}

// Restart implements conformance.Crasher.
func (l *Link) Restart(ctx context.Context) error {
	if err := l.config.Process.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	l.started = true
	err := poll(ctx, l.config.StartTimeout, func() error {
		if err := l.config.Process.Err(); err != nil {
			return &finalError{err}
		}
		settled, members, err := l.members()
		if err == nil && (!settled || members == 0) {
			err = fmt.Errorf("group %s has no member that reads", l.group())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStart, err)
	}
	return nil
}

// group is the participant's consumer group.
func (l *Link) group() string { return l.config.Topics.Prefix + l.config.Participant }

// members is how many the participant's group has, and whether they have settled who reads what.
func (l *Link) members() (settled bool, members int, err error) {
	found, err := l.admin.DescribeConsumerGroups([]string{l.group()})
	if err != nil {
		return false, 0, fmt.Errorf("look at group %s: %w", l.group(), err)
	}
	for _, group := range found {
		settled, members = group.State == "Stable", len(group.Members)
	}
	return settled, members, nil
}

// forget has the coordinator drop the members of a process that was killed.
func (l *Link) forget() error {
	found, err := l.admin.DescribeConsumerGroups([]string{l.group()})
	if err != nil {
		return fmt.Errorf("look at group %s: %w", l.group(), err)
	}
	var errs []error
	for _, group := range found {
		leave := &sarama.LeaveGroupRequest{Version: 3, GroupId: l.group()}
		for id, member := range group.Members {
			leave.Members = append(leave.Members, sarama.MemberIdentity{MemberId: id, GroupInstanceId: member.GroupInstanceId})
		}
		if len(leave.Members) == 0 {
			continue
		}
		coordinator, err := l.client.Coordinator(l.group())
		if err == nil {
			_, err = coordinator.LeaveGroup(leave)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("take the killed participant out of group %s: %w", l.group(), err)
	}
	return nil
}
