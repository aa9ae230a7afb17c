package ui

import (
	"fmt"
	"strings"

	"anteroom/store/chat"
)

// Text holds every word on screen. Another language is another value of it.
type Text struct {
	// Frame.
	Close, Back, Menu, Dismiss string
	Connecting, Reconnecting   string
	Offline, Outdated, Memory  string
	Unavailable                string

	// Rooms and vendors.
	Morning, Afternoon, Evening string
	Ask                         string
	Rooms, Vendors, NewChat     string
	PickVendor                  string
	NoRooms, NoVendors          string
	NoRoomsFound, Loading       string
	You                         func(text string) string
	PreviewClosed, PreviewEmpty string
	PreviewTyping               string
	More                        string
	UnreadCount                 func(n int) string

	// Who.
	AsGuest, KeepChat            string
	AsUser                       func(name string) string
	LogIn, LogOut, LogOutAll     string
	EndChat, EndChatAsk          string
	EndChatYes, Cancel           string
	Username, Password, Continue string
	LoggingIn, LogInTitle        string
	LogInFailed                  string
	Expired, ExpiredHint         string
	AsFreshGuest                 string

	// The room.
	Messages                         string
	WriteTo                          func(name string) string
	Write                            string
	Today, Yesterday                 string
	Sending, Sent, Waiting, Read     string
	NotSent, Retry, Discard          string
	RetryIn                          func(seconds int64) string
	RoomClosed, RoomEmpty            string
	ClosedPlaceholder                string
	LinkedYou, LinkedOther           func(name string) string
	Joined, Left                     func(name string) string
	ClosedLine, BlockedLine          string
	AdminViewed                      func(name string) string
	Types                            func(name string) string
	NewMessages, LoadingOlder        string
	SaidYou, Said                    func(name string) string
	RoomLost, RoomFailed, TooManyNow string

	// The inbox.
	Inbox, Search, About              string
	FilterOpen, FilterUnread          string
	FilterClosed, FilterAll, Filter   string
	OpenChip, ClosedChip              string
	Customer, Participants, StartedAs string
	StartedOn                         func(guest, page string) string
	Opened, Vendor, Guest, Staff      string
	CameAsGuest                       func(time string) string
	CloseRoom, CloseRoomAsk           string
	BlockGuest, BlockGuestAsk         string
	Sessions, ThisSession, EndSession string
	ChatSurface, LastUsed             string
	ChangePassword, OldPassword       string
	NewPassword, SavePassword         string
	PasswordSaved                     string
	Oversight                         string
	AdminRole                         string
	Install, Notifications            string
	NotificationFrom                  func(name string) string
	PickRoom                          string
	UpdateReady, Reload               string
	Audit                             string

	// Dates: 3 Nov, Tuesday 3 November.
	Weekdays, ShortWeekdays [7]string
	Months, ShortMonths     [12]string
	LongDate                func(weekday, month string, day, year int) string
	ShortDate               func(month string, day, year int) string

	// Error says what a code means to people.
	Error func(*chat.Error) string
}

// English is the first language.
var English = Text{
	Close: "Close chat", Back: "Back", Menu: "Menu", Dismiss: "Dismiss",
	Connecting: "Connecting…", Reconnecting: "Reconnecting…",
	Offline:     "Offline. Your messages will be sent when you are back.",
	Outdated:    "This page is out of date. It reloads itself; your text is kept.",
	Memory:      "This browser keeps nothing: the chat lives until you close this tab.",
	Unavailable: "The chat can’t be reached just now.",

	Morning: "Good morning.", Afternoon: "Good afternoon.", Evening: "Good evening.",
	Ask:   "Who would you like to ask?",
	Rooms: "Rooms", Vendors: "Vendors", NewChat: "New chat",
	PickVendor: "Who would you like to ask?",
	NoRooms:    "No chats yet.", NoVendors: "There is nobody to write to yet.",
	NoRoomsFound: "No rooms here.", Loading: "Loading…",
	You:           func(text string) string { return "You: " + text },
	PreviewClosed: "This room was closed.", PreviewEmpty: "No messages yet.",
	PreviewTyping: "typing…",
	More:          "Show more",
	UnreadCount: func(n int) string {
		if n == 1 {
			return "1 unread message"
		}
		return fmt.Sprintf("%d unread messages", n)
	},

	AsGuest: "Chatting as a guest.", KeepChat: "to keep this chat.",
	AsUser: func(name string) string { return "Logged in as " + name + "." },
	LogIn:  "Log in", LogOut: "Log out", LogOutAll: "Log out everywhere",
	EndChat:    "End chat and forget me",
	EndChatAsk: "This ends your guest chat on this device. You won’t be able to read it again.",
	EndChatYes: "Yes, forget me", Cancel: "Cancel",
	Username: "Username", Password: "Password", Continue: "Continue",
	LoggingIn: "Logging in…", LogInTitle: "Log in",
	LogInFailed: "Username or password is wrong.",
	Expired:     "Your session has ended.", ExpiredHint: "Log in again to see your chats. What you wrote is kept.",
	AsFreshGuest: "Go on as a guest",

	Messages: "Messages",
	WriteTo:  func(name string) string { return "Write to " + name },
	Write:    "Write a message",
	Today:    "Today", Yesterday: "Yesterday",
	Sending: "Sending", Sent: "Sent", Waiting: "Waiting to send", Read: "Read",
	NotSent: "Not sent.", Retry: "Retry", Discard: "Discard",
	RetryIn:    func(s int64) string { return fmt.Sprintf("Sending again in %d s", s) },
	RoomClosed: "This room is closed.", RoomEmpty: "Write the first message.",
	ClosedPlaceholder: "This room is closed",
	LinkedYou:         func(name string) string { return "You are logged in as " + name + ". This chat came along." },
	LinkedOther:       func(name string) string { return name + " logged in; this chat came along." },
	Joined:            func(name string) string { return name + " joined." },
	Left:              func(name string) string { return name + " left." },
	ClosedLine:        "This room was closed.", BlockedLine: "The guest was blocked and this room was closed.",
	AdminViewed: func(name string) string { return name + " (admin) viewed this room" },
	Types:       func(name string) string { return name + " is typing" },
	NewMessages: "New messages", LoadingOlder: "Loading older messages…",
	SaidYou:    func(string) string { return "You: " },
	Said:       func(name string) string { return name + ": " },
	RoomLost:   "This room is no longer available to you.",
	RoomFailed: "This room could not be opened.", TooManyNow: "That was a lot at once. Please wait a moment.",

	Inbox: "Inbox", Search: "Search rooms", About: "About",
	FilterOpen: "Open", FilterUnread: "Unread", FilterClosed: "Closed", FilterAll: "All", Filter: "Filter",
	OpenChip: "Open", ClosedChip: "Closed",
	Customer: "Customer", Participants: "Participants", StartedAs: "Started as",
	StartedOn: func(guest, page string) string {
		if page == "" {
			return guest
		}
		if guest == "" {
			return page
		}
		return guest + " on " + page
	},
	Opened: "Opened", Vendor: "Vendor", Guest: "Guest", Staff: "staff",
	CameAsGuest: func(time string) string { return "Came in as a guest, logged in " + time },
	CloseRoom:   "Close room", CloseRoomAsk: "Nobody will be able to write here afterwards.",
	BlockGuest: "Block guest", BlockGuestAsk: "This closes the room, and the guest can’t write to you again.",
	Sessions: "Your sessions", ThisSession: "This session", EndSession: "End",
	ChatSurface: "Chat", LastUsed: "Last used:",
	ChangePassword: "Change password", OldPassword: "Current password",
	NewPassword: "New password", SavePassword: "Save password",
	PasswordSaved: "Your password was changed. Other sessions were ended.",
	Oversight:     "You see this room as an admin. Its participants see that you looked.",
	AdminRole:     "Admin",
	Install:       "Install app", Notifications: "Turn on notifications",
	NotificationFrom: func(name string) string { return "New message from " + name },
	PickRoom:         "Pick a room to read it.",
	UpdateReady:      "A newer version is ready.", Reload: "Reload",
	Audit: "Audit table",

	Weekdays:      [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	ShortWeekdays: [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	Months: [12]string{
		"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December",
	},
	ShortMonths: [12]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
	LongDate: func(weekday, month string, day, year int) string {
		if year == 0 {
			return fmt.Sprintf("%s, %d %s", weekday, day, month)
		}
		return fmt.Sprintf("%d %s %d", day, month, year)
	},
	ShortDate: func(month string, day, year int) string {
		if year == 0 {
			return fmt.Sprintf("%d %s", day, month)
		}
		return fmt.Sprintf("%d %s %d", day, month, year)
	},
	Error: englishError,
}

func englishError(e *chat.Error) string {
	if e == nil {
		return ""
	}
	switch e.Code {
	case chat.CodeUnauthenticated:
		return "Username or password is wrong."
	case chat.CodeSessionExpired:
		return "Your session has ended."
	case chat.CodeAccessDenied:
		return "This room is no longer available to you."
	case chat.CodeRoomClosed:
		return "This room is closed."
	case chat.CodeTooLarge:
		return fmt.Sprintf("A message may have at most %d characters.", chat.MaxText)
	case chat.CodeRateLimited:
		return "That was a lot at once. Please wait a moment."
	case chat.CodeStorageFull, chat.CodeUnavailable, chat.CodeShutdown, chat.CodeSlowConsumer, chat.CodeResyncRequired:
		return "The chat can’t be reached just now."
	case chat.CodeUnsupportedVersion:
		return "This page is out of date."
	case chat.CodeInternal:
		if e.RequestID != "" {
			return "Something went wrong on the server (" + e.RequestID + ")."
		}
		return "Something went wrong on the server."
	}
	if e.Message != "" {
		return e.Message
	}
	return "That did not work."
}

// AuditText holds the words of the audit table, which only the inbox's module has.
type AuditText struct {
	About, Refresh          string
	Time, What, By, Subject string
	Room, IDs               string
	Operator, Unknown       string
	Empty, Denied           string
	// Line says what an action and its detail mean; name gives what an id in the
	// detail stands for.
	Line func(action, detail string, name func(id string) string) (what, more string)
}

// EnglishAudit belongs to English.
var EnglishAudit = AuditText{
	About: "Log-ins, links, refusals, looks by admins, changes of rights", Refresh: "Refresh",
	Time: "Time", What: "What", By: "By", Subject: "Whom or what", Room: "Room", IDs: "Ids",
	Operator: "Operator", Unknown: "Unknown",
	Empty: "Nothing has been written here yet.", Denied: "Only admins can read the audit table.",
	Line: englishAudit,
}

// englishAudit puts a row of the audit table into words. What it does not know
// yet it gives as it is.
func englishAudit(action, detail string, name func(string) string) (what, more string) {
	switch first, rest, _ := strings.Cut(detail, " "); action {
	case "login":
		more = "in the chat"
		if first == string(chat.SurfaceInbox) {
			more = "in the inbox"
		}
		if rest == "token" {
			more += ", by the site’s own log-in"
		}
		return "Logged in", more
	case "logout":
		switch detail {
		case "handle":
			detail = "told later, after being offline"
		case "everywhere":
			detail = "everywhere"
		case "password":
			detail = "because the password was changed"
		case "disabled":
			detail = "because the account was disabled"
		}
		return "Logged out", detail
	case "link":
		return "Took a guest’s chats along", detail
	case "link_refused":
		return "Was refused a guest’s chats", detail
	case "oversight":
		return "Looked into a room as an admin", ""
	case "role":
		return "Role changed", "now " + detail
	case "disable":
		return "Account disabled", detail
	case "enable":
		return "Account enabled", detail
	case "password":
		return "Password changed", ""
	case "user_added":
		return "Account added", "as " + detail
	case "vendor_added":
		return "Vendor added", detail
	case "vendor_member":
		if first == "added" {
			return "Joined the staff", "of " + name(rest)
		}
		return "Left the staff", "of " + name(rest)
	case "room_made":
		return "Made a room", detail
	case "participant_added":
		return "Added to the room", detail
	case "participant_removed":
		return "Removed from the room", detail
	case "guest_blocked":
		return "Blocked a guest", detail
	case "refused":
		return englishRefusal(detail)
	}
	return action, detail
}

// englishRefusal says what was refused, and why.
func englishRefusal(reason string) (what, why string) {
	switch reason {
	case "password":
		return "Log-in refused", "wrong password, or the account is disabled"
	case "change_password":
		return "Change of password refused", "wrong password"
	}
	if why, ok := strings.CutPrefix(reason, "token_"); ok {
		return "Log-in by the site refused", "token: " + strings.ReplaceAll(why, "_", " ")
	}
	switch reason {
	case "nobody":
		why = "nobody was logged in"
	case "no_room":
		why = "there is no such room"
	case "not_participant":
		why = "no participant"
	case "inactive":
		why = "the account is disabled"
	case "other_guest_session":
		why = "another guest’s room"
	case "guest_in_user_room":
		why = "a guest in a room of users"
	case "revoked":
		why = "the session had ended"
	case "link_over":
		why = "the log-in behind it had ended"
	case "linked_not_participant":
		why = "its user is no participant"
	default:
		why = strings.ReplaceAll(reason, "_", " ")
	}
	return "Room refused", why
}
