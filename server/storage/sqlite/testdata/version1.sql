DELETE FROM meta;
INSERT INTO meta VALUES (1, '64ec7148749005fed3bda49ff3a17e1b');
INSERT INTO users VALUES ('u_ada', 'ada', 'ada', 'ada Å', 'user', 1, 'x', '', '', 1);
INSERT INTO users VALUES ('u_bo', 'bo', 'bo', 'bo Å', 'user', 0, 'x', '', '', 1);
INSERT INTO users VALUES ('u_host', '', '', 'Host', 'user', 1, '', 'shop', '7', 0);
INSERT INTO users VALUES ('u_mia', 'mia', 'mia', 'mia Å', 'user', 1, 'x', '', '', 1);
INSERT INTO users VALUES ('u_root', 'root', 'root', 'root Å', 'user', 1, 'x', '', '', 1);
INSERT INTO vendors VALUES ('v_oak', 'oak', 'Oak', '');
INSERT INTO vendors VALUES ('v_tea', 'tea', 'Northern Tea', 'T');
INSERT INTO vendor_members VALUES ('v_oak', 'u_mia');
INSERT INTO vendor_members VALUES ('v_tea', 'u_mia');
INSERT INTO account_sessions VALUES ('s_a', 'u_ada', X'0101000000000000000000000000000000000000000000000000000000000000', X'0202000000000000000000000000000000000000000000000000000000000000', 'inbox', 0, 0, 1099511627776, 0, 0, '[{"Hash":[3,3,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"Expires":9}]', 'Firefox');
INSERT INTO burned_tokens VALUES (X'0404000000000000000000000000000000000000000000000000000000000000', 99);
INSERT INTO guest_sessions VALUES ('g_aaaa', X'0A0A000000000000000000000000000000000000000000000000000000000000', X'1414000000000000000000000000000000000000000000000000000000000000', NULL, 0, 0, 1099511627776, 0, 0, '', '', 0);
INSERT INTO guest_sessions VALUES ('g_bbbb', X'0B0B000000000000000000000000000000000000000000000000000000000000', X'1515000000000000000000000000000000000000000000000000000000000000', NULL, 0, 0, 1099511627776, 0, 0, '', '', 0);
INSERT INTO guest_sessions VALUES ('g_cccc', X'0C0C000000000000000000000000000000000000000000000000000000000000', X'1616000000000000000000000000000000000000000000000000000000000000', NULL, 0, 0, 1099511627776, 0, 0, '', '', 0);
INSERT INTO rooms VALUES (1, 'r_a', '', 'v_tea', 'g_aaaa', 'u_ada', 400, 'g_aaaa', 'room', '/tea', 0, 10, 7, 7, 106, 7, '
northern tea
guest aaaa
mia å
ada å
');
INSERT INTO rooms VALUES (2, 'r_b', '', 'v_oak', 'g_bbbb', '', 0, 'g_bbbb', 'room', '', 1, 20, 7, 7, 300, 7, '
oak
guest bbbb
mia å
');
INSERT INTO rooms VALUES (3, 'r_c', '', 'v_tea', '', '', 0, 'u_ada', 'room', '', 0, 30, 7, 7, 206, 7, '
northern tea
mia å
ada å
');
INSERT INTO rooms VALUES (4, 'r_d', 'Planning', '', '', '', 0, 'u_root', '', '', 0, 40, 8, 7, 300, 8, 'planning

ada å
bo å
');
INSERT INTO rooms VALUES (5, 'r_empty', '', 'v_tea', 'g_cccc', '', 0, 'g_cccc', '', '', 0, 50, 0, 0, 50, 0, '
northern tea
guest cccc
mia å
');
INSERT INTO participants VALUES ('u_ada', 'v_tea', 1);
INSERT INTO participants VALUES ('u_mia', 'v_tea', 1);
INSERT INTO participants VALUES ('u_mia', 'v_oak', 2);
INSERT INTO participants VALUES ('u_ada', 'v_tea', 3);
INSERT INTO participants VALUES ('u_mia', 'v_tea', 3);
INSERT INTO participants VALUES ('u_ada', '', 4);
INSERT INTO participants VALUES ('u_bo', '', 4);
INSERT INTO participants VALUES ('u_mia', 'v_tea', 5);
INSERT INTO events VALUES (1, 1, 100, 'message', 'g_aaaa', 'g_aaaa', 'm0', 'from the guest 0', '', 1);
INSERT INTO events VALUES (1, 2, 101, 'message', 'g_aaaa', 'g_aaaa', 'm1', 'from the guest 1', '', 2);
INSERT INTO events VALUES (1, 3, 102, 'message', 'g_aaaa', 'g_aaaa', 'm2', 'from the guest 2', '', 3);
INSERT INTO events VALUES (1, 4, 103, 'message', 'g_aaaa', 'g_aaaa', 'm3', 'from the guest 3', '', 4);
INSERT INTO events VALUES (1, 5, 104, 'message', 'g_aaaa', 'g_aaaa', 'm4', 'from the guest 4', '', 5);
INSERT INTO events VALUES (1, 6, 105, 'message', 'g_aaaa', 'g_aaaa', 'm5', 'from the guest 5', '', 6);
INSERT INTO events VALUES (1, 7, 106, 'message', 'g_aaaa', 'g_aaaa', 'm6', 'from the guest 6', '', 7);
INSERT INTO events VALUES (2, 1, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 1);
INSERT INTO events VALUES (2, 2, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 2);
INSERT INTO events VALUES (2, 3, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 3);
INSERT INTO events VALUES (2, 4, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 4);
INSERT INTO events VALUES (2, 5, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 5);
INSERT INTO events VALUES (2, 6, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 6);
INSERT INTO events VALUES (2, 7, 300, 'message', 'u_mia', 'u_mia', '', 'the same moment', '', 7);
INSERT INTO events VALUES (3, 1, 200, 'message', 'u_ada', 'u_ada', 'm4', 'from ada 0', '', 1);
INSERT INTO events VALUES (3, 2, 201, 'message', 'u_ada', 'u_ada', 'm5', 'from ada 1', '', 2);
INSERT INTO events VALUES (3, 3, 202, 'message', 'u_ada', 'u_ada', 'm6', 'from ada 2', '', 3);
INSERT INTO events VALUES (3, 4, 203, 'message', 'u_ada', 'u_ada', 'm7', 'from ada 3', '', 4);
INSERT INTO events VALUES (3, 5, 204, 'message', 'u_ada', 'u_ada', 'm8', 'from ada 4', '', 5);
INSERT INTO events VALUES (3, 6, 205, 'message', 'u_ada', 'u_ada', 'm9', 'from ada 5', '', 6);
INSERT INTO events VALUES (3, 7, 206, 'message', 'u_ada', 'u_ada', 'm10', 'from ada 6', '', 7);
INSERT INTO events VALUES (4, 1, 44, 'participant_added', 'u_root', '', '', '', '{"user":"u_bo","name":"bo"}', 0);
INSERT INTO events VALUES (4, 2, 300, 'message', 'u_bo', 'u_bo', 'd0', 'the same moment too', '', 1);
INSERT INTO events VALUES (4, 3, 300, 'message', 'u_bo', 'u_bo', 'd1', 'the same moment too', '', 2);
INSERT INTO events VALUES (4, 4, 300, 'message', 'u_bo', 'u_bo', 'd2', 'the same moment too', '', 3);
INSERT INTO events VALUES (4, 5, 300, 'message', 'u_bo', 'u_bo', 'd3', 'the same moment too', '', 4);
INSERT INTO events VALUES (4, 6, 300, 'message', 'u_bo', 'u_bo', 'd4', 'the same moment too', '', 5);
INSERT INTO events VALUES (4, 7, 300, 'message', 'u_bo', 'u_bo', 'd5', 'the same moment too', '', 6);
INSERT INTO events VALUES (4, 8, 300, 'message', 'u_bo', 'u_bo', 'd6', 'the same moment too', '', 7);
INSERT INTO sent VALUES ('u_ada', 'm0', 1, 1);
INSERT INTO sent VALUES ('u_ada', 'm1', 1, 2);
INSERT INTO sent VALUES ('u_ada', 'm10', 3, 7);
INSERT INTO sent VALUES ('u_ada', 'm2', 1, 3);
INSERT INTO sent VALUES ('u_ada', 'm3', 1, 4);
INSERT INTO sent VALUES ('u_ada', 'm4', 3, 1);
INSERT INTO sent VALUES ('u_ada', 'm5', 3, 2);
INSERT INTO sent VALUES ('u_ada', 'm6', 3, 3);
INSERT INTO sent VALUES ('u_ada', 'm7', 3, 4);
INSERT INTO sent VALUES ('u_ada', 'm8', 3, 5);
INSERT INTO sent VALUES ('u_ada', 'm9', 3, 6);
INSERT INTO sent VALUES ('u_bo', 'd0', 4, 2);
INSERT INTO sent VALUES ('u_bo', 'd1', 4, 3);
INSERT INTO sent VALUES ('u_bo', 'd2', 4, 4);
INSERT INTO sent VALUES ('u_bo', 'd3', 4, 5);
INSERT INTO sent VALUES ('u_bo', 'd4', 4, 6);
INSERT INTO sent VALUES ('u_bo', 'd5', 4, 7);
INSERT INTO sent VALUES ('u_bo', 'd6', 4, 8);
INSERT INTO marks VALUES (1, 'u_ada', 7, 7);
INSERT INTO marks VALUES (1, 'u_mia', 3, 3);
INSERT INTO marks VALUES (2, 'u_mia', 7, 7);
INSERT INTO marks VALUES (3, 'u_ada', 7, 7);
INSERT INTO marks VALUES (4, 'u_bo', 8, 7);
INSERT INTO blocked VALUES ('v_oak', 'g_bbbb');
INSERT INTO notices VALUES (1, 4, 'u_root', '2026-11-25', 'root', 401);
INSERT INTO audit VALUES (1, 5, 'link', 'g_aaaa', 'u_ada', 'r_a', 'x');
UPDATE meta SET epoch = '5b1d6e3f0a9c4e8790badc0ffee12345';
PRAGMA user_version = 1;
