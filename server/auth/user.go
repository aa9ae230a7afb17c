package auth

import (
	"context"
	"errors"

	"anteroom/server/storage"
	"anteroom/store/chat"
)

// The operator's side of accounts. Whoever calls these is the operator:
// they check no principal.

// NewUser is a built-in account to be made.
type NewUser struct {
	Username string
	Name     string // Username where empty
	Role     chat.Role
	Password string
}

// CreateUser makes a built-in account. invalid for a bad name, role or
// password, conflict where the username is taken.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (storage.User, error) {
	username, err := ParseUsername(n.Username)
	if err != nil {
		return storage.User{}, err
	}
	if n.Name == "" {
		n.Name = n.Username
	}
	name, err := chat.ParseName(n.Name)
	if err != nil {
		return storage.User{}, err
	}
	if n.Role == "" {
		n.Role = chat.RoleUser
	}
	if err := checkRole(n.Role); err != nil {
		return storage.User{}, err
	}
	if _, err := ParsePassword(n.Password); err != nil {
		return storage.User{}, err
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return storage.User{}, err
	}
	id, err := s.id("u_")
	if err != nil {
		return storage.User{}, err
	}
	u := storage.User{
		ID: chat.UserID(id), Username: username, Name: name, Role: n.Role,
		Active: true, PasswordHash: hash, CreatedAt: s.now(),
	}
	err = s.storage.Update(ctx, func(w storage.Writer) error {
		if _, err := w.UserByName(username); err == nil {
			return chat.Errorf(chat.CodeConflict, "there is a user %s already", username)
		} else if err := ignoreMissing(err); err != nil {
			return err
		}
		if err := w.PutUser(u); err != nil {
			return err
		}
		return w.AddAudit(storage.AuditEntry{At: u.CreatedAt, Action: "user_added", Subject: string(u.ID), Detail: string(u.Role)})
	})
	return u, wrap("create user", err)
}

func checkRole(r chat.Role) error {
	if r != chat.RoleUser && r != chat.RoleAdmin {
		return chat.Errorf(chat.CodeInvalid, "role must be user or admin")
	}
	return nil
}

// FindUser finds an account by id, or a built-in one by username. not_found where there is none.
func (s *Service) FindUser(ctx context.Context, ref string) (storage.User, error) {
	var u storage.User
	err := s.storage.View(ctx, func(r storage.Reader) (err error) {
		if id, perr := chat.ParseUserID(ref); perr == nil {
			u, err = r.User(id)
		} else if name, perr := ParseUsername(ref); perr == nil {
			u, err = r.UserByName(name)
		} else {
			err = storage.ErrNotFound
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return storage.User{}, noUser(ref)
	}
	return u, wrap("find user", err)
}

func noUser(ref string) error {
	if len(ref) > 64 {
		ref = ref[:64]
	}
	return chat.Errorf(chat.CodeNotFound, "there is no user %q", ref)
}

// Users lists all accounts ordered by username, then id.
func (s *Service) Users(ctx context.Context) ([]storage.User, error) {
	var list []storage.User
	err := s.storage.View(ctx, func(r storage.Reader) (err error) {
		list, err = r.Users()
		return err
	})
	return list, wrap("list users", err)
}

// SetPassword gives a built-in account another password and ends all its
// sessions. invalid for a bad password or a host's account, not_found where
// there is no such user.
func (s *Service) SetPassword(ctx context.Context, id chat.UserID, password string) error {
	if _, err := ParsePassword(password); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.changeUser(ctx, id, "password", func(w storage.Writer, u *storage.User, c *Change) (string, error) {
		if u.Issuer != "" {
			return "", chat.Errorf(chat.CodeInvalid, "this account is a host's and has no password here")
		}
		u.PasswordHash = hash
		return "operator", s.endAll(w, u.ID, "", "password", c)
	})
}

// SetActive disables an account, which ends all its sessions, or enables it
// again, which brings none back.
func (s *Service) SetActive(ctx context.Context, id chat.UserID, active bool) error {
	action := "disable"
	if active {
		action = "enable"
	}
	return s.changeUser(ctx, id, action, func(w storage.Writer, u *storage.User, c *Change) (string, error) {
		u.Active = active
		c.Users = append(c.Users, u.ID)
		if active {
			return "", nil
		}
		return "", s.endAll(w, u.ID, "", "disabled", c)
	})
}

// SetRole changes what an account may do. A host's account can't be an admin
// (invalid): the host could then speak for one. A new admin's sessions take on
// an admin's shorter lifetimes.
func (s *Service) SetRole(ctx context.Context, id chat.UserID, role chat.Role) error {
	if err := checkRole(role); err != nil {
		return err
	}
	return s.changeUser(ctx, id, "role", func(w storage.Writer, u *storage.User, c *Change) (string, error) {
		if u.Issuer != "" && role == chat.RoleAdmin {
			return "", chat.Errorf(chat.CodeInvalid, "a host's account can't be an admin")
		}
		u.Role = role
		c.Users = append(c.Users, u.ID)
		if role != chat.RoleAdmin {
			return string(role), nil
		}
		list, err := w.AccountSessions(u.ID)
		if err != nil {
			return "", err
		}
		idle, absolute := s.lifetimes(role)
		for _, a := range list {
			if a.IdleMS == 0 || a.IdleMS > idle {
				a.IdleMS = idle
			}
			a.ExpiresAt = min(a.ExpiresAt, a.CreatedAt+absolute)
			if err := w.PutAccountSession(a); err != nil {
				return "", err
			}
		}
		return string(role), nil
	})
}

// changeUser runs f on a user in a transaction, stores the user and audits it.
func (s *Service) changeUser(ctx context.Context, id chat.UserID, action string, f func(storage.Writer, *storage.User, *Change) (detail string, err error)) error {
	return wrap(action, s.change(ctx, func(w storage.Writer, c *Change) error {
		u, err := w.User(id)
		if errors.Is(err, storage.ErrNotFound) {
			return noUser(string(id))
		}
		if err != nil {
			return err
		}
		detail, err := f(w, &u, c)
		if err != nil {
			return err
		}
		if err := w.PutUser(u); err != nil {
			return err
		}
		return w.AddAudit(storage.AuditEntry{At: s.now(), Action: action, Subject: string(u.ID), Detail: detail})
	}))
}
