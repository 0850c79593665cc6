/*
 * Names of eastern Europe, Greece, Turkey and the Caucasus. Where family names follow the bearer's
 * sex there is a culture for each.
 */
#include "omnictl/names.h"

static const struct culture CULTURES[] = {
    {.given =
         "Александр|Дмитрий|Сергей|Андрей|Алексей|Максим|Иван|Михаил|Николай|Владимир|Евгений|"
         "Артём|Павел|Юрий|Олег|Кирилл|Игорь|Фёдор|Григорий|Лев|Пётр|Илья|Святослав|Эдуард|Щукарь",
     .family =
         "Иванов|Смирнов|Кузнецов|Попов|Васильев|Петров|Соколов|Михайлов|Новиков|Фёдоров|Морозов|"
         "Волков|Алексеев|Лебедев|Семёнов|Егоров|Павлов|Козлов|Степанов|Николаев|Орлов|Андреев|"
         "Макаров|Никитин|Захаров|Зайцев|Соловьёв|Щербаков|Воробьёв|Цой|Ж|Салтыков-Щедрин",
     .countries = "ru|kz|by|ua|kg",
     .weight = 45,
     .flags = CULTURE_MIDDLE},
    {.given =
         "Елена|Ольга|Татьяна|Анна|Наталья|Ирина|Светлана|Мария|Екатерина|Анастасия|Юлия|Дарья|"
         "Людмила|Ксения|Полина|Вера|Любовь|Надежда|Алёна|Софья|Жанна|Эльвира|Юлиана|Яна",
     .family =
         "Иванова|Смирнова|Кузнецова|Попова|Васильева|Петрова|Соколова|Михайлова|Новикова|Фёдорова|"
         "Морозова|Волкова|Алексеева|Лебедева|Семёнова|Егорова|Павлова|Козлова|Степанова|Орлова|"
         "Достоевская|Чайковская|Щербакова|Юсупова|Ахматова",
     .countries = "ru|kz|by|ua|kg",
     .weight = 45,
     .flags = CULTURE_MIDDLE},
    {.given =
         "Олександр|Оксана|Андрій|Наталія|Сергій|Ірина|Володимир|Тетяна|Юрій|Ганна|Микола|Соломія|"
         "Василь|Людмила|Тарас|Леся|Богдан|Олена|Євген|Юлія|Ґалаґан|В’ячеслав|Любов|Їванна",
     .family =
         "Мельник|Шевченко|Коваленко|Бондаренко|Бойко|Ткаченко|Кравченко|Ковальчук|Коваль|Олійник|"
         "Шевчук|Поліщук|Лисенко|Марченко|Руденко|Савченко|Петренко|Кравчук|Клименко|Ґудзь|"
         "В’юн|Їжакевич|Щур",
     .countries = "ua|pl|ca",
     .weight = 30,
     .flags = 0},
    {.given =
         "Георги|Мария|Иван|Елена|Димитър|Йорданка|Петър|Иванка|Никола|Милица|Јован|Јелена|Стефан|"
         "Ђорђе|Љубица|Његош|Цветан|Живка|Ђурђа|Ћирило",
     .family =
         "Димитров|Георгиев|Стоянов|Николов|Янков|Јовановић|Петровић|Николић|Марковић|Ђорђевић|"
         "Стојановић|Илић|Станковић|Павловић|Љубичић|Њежић|Џаковић|Станишић",
     .countries = "bg|rs|mk|me|ba",
     .weight = 20,
     .flags = 0},
    {.given = "Jan|Anna|Piotr|Katarzyna|Krzysztof|Agnieszka|Andrzej|Małgorzata|Tomasz|Joanna|Paweł|"
              "Barbara|"
              "Michał|Ewa|Marcin|Zofia|Łukasz|Aleksandra|Stanisław|Żaneta|Wojciech|Grażyna|Bożena|"
              "Świętosława|"
              "Zdzisław|Miłosz|Bronisław",
     .family =
         "Nowak|Wójcik|Kowalczyk|Mazur|Krawczyk|Zając|Wróbel|Król|Wieczorek|Dudek|Stępień|Adamczyk|"
         "Pawlak|Sikora|Walczak|Baran|Michalak|Szewczyk|Pietrzak|Duda|Włodarczyk|Błaszczyk|Gąsior|"
         "Brzęczyszczykiewicz|Źrebiec|Ćwik|Kościuszko",
     .countries = "pl|gb|de|us",
     .weight = 40,
     .flags = CULTURE_HYPHEN},
    {.given =
         "Jiří|Jan|Petr|Josef|Pavel|Martin|Tomáš|Jaroslav|Miroslav|Zdeněk|Václav|Michal|František|"
         "Jakub|Lukáš|Ondřej|Matěj|Vojtěch|Řehoř|Ľubomír|Štefan|Ďuro",
     .family =
         "Novák|Svoboda|Novotný|Dvořák|Černý|Procházka|Kučera|Veselý|Horák|Němec|Pokorný|Pospíšil|"
         "Hájek|Král|Růžička|Beneš|Fiala|Sedláček|Doležal|Zeman|Kříž|Ševčík|Říha|Hruška|Tóth",
     .countries = "cz|sk",
     .weight = 14,
     .flags = 0},
    {.given =
         "Jana|Marie|Eva|Hana|Anna|Lenka|Kateřina|Věra|Lucie|Alena|Petra|Veronika|Tereza|Zdeňka|"
         "Božena|Růžena|Žofie|Ľudmila|Šárka|Eliška",
     .family =
         "Nováková|Svobodová|Novotná|Dvořáková|Černá|Procházková|Kučerová|Veselá|Horáková|Němcová|"
         "Pokorná|Pospíšilová|Hájková|Králová|Růžičková|Benešová|Křížová|Ševčíková|Říhová|"
         "Navrátilová",
     .countries = "cz|sk",
     .weight = 14,
     .flags = CULTURE_HYPHEN},
    {.given = "László|Mária|István|Erzsébet|József|Katalin|János|Ilona|Zoltán|Éva|Sándor|Anna|"
              "Gábor|Zsuzsanna|"
              "Ferenc|Ágnes|Attila|Judit|Győző|Enikő|Ödön|Csilla|Őze|Tünde",
     .family =
         "Nagy|Kovács|Tóth|Szabó|Horváth|Varga|Kiss|Molnár|Németh|Farkas|Balogh|Papp|Takács|Juhász|"
         "Lakatos|Mészáros|Oláh|Simon|Rácz|Fekete|Szűcs|Győrffy|Dessewffy|Széchenyi",
     .countries = "hu|ro|sk",
     .weight = 18,
     .flags = CULTURE_FAMILY_FIRST},
    {.given = "Andrei|Maria|Alexandru|Elena|Ștefan|Ioana|Ion|Ana|Gheorghe|Mihaela|Constantin|Țuțu|"
              "Răzvan|"
              "Cătălina|Ionuț|Andreea|Călin|Ilinca",
     .family =
         "Popa|Popescu|Ionescu|Pop|Radu|Dumitru|Stan|Stoica|Gheorghe|Matei|Ciobanu|Rusu|Munteanu|"
         "Șerban|Țăranu|Brâncuși|Enescu|Bălan|Zaharia",
     .countries = "ro|md|it",
     .weight = 16,
     .flags = 0},
    {.given = "Γιώργος|Γιάννης|Κώστας|Δημήτρης|Νίκος|Παναγιώτης|Βασίλης|Χρήστος|Αθανάσιος|Μιχάλης|"
              "Σπύρος|"
              "Στέλιος|Ηλίας|Θεόδωρος|Οδυσσέας|Άγγελος|Ευστάθιος|Ξενοφών|Ωρίων",
     .family =
         "Παπαδόπουλος|Βλάχος|Αγγελόπουλος|Νικολαΐδης|Γεωργίου|Παπαγεωργίου|Δημητρίου|Οικονόμου|"
         "Καραγιάννης|Μακρής|Χατζηδάκης|Θεοδωράκης|Ψαρράς|Αλεξίου|Ζαφειρόπουλος|Ιωαννίδης",
     .countries = "gr|cy|au",
     .weight = 12,
     .flags = 0},
    {.given =
         "Μαρία|Ελένη|Κατερίνα|Βασιλική|Σοφία|Αγγελική|Γεωργία|Δήμητρα|Κωνσταντίνα|Ιωάννα|Άννα|Ζωή|"
         "Χριστίνα|Ευαγγελία|Θεοδώρα|Όλγα|Ηλέκτρα|Ψυχή",
     .family =
         "Παπαδοπούλου|Βλάχου|Αγγελοπούλου|Νικολαΐδου|Γεωργίου|Παπαγεωργίου|Δημητρίου|Οικονόμου|"
         "Καραγιάννη|Μακρή|Χατζηδάκη|Θεοδωράκη|Αλεξίου|Ιωαννίδου|Ξενάκη",
     .countries = "gr|cy|au",
     .weight = 12,
     .flags = 0},
    {.given = "Mehmet|Fatma|Mustafa|Ayşe|Ahmet|Emine|Ali|Hatice|Hüseyin|Zeynep|Hasan|Elif|İbrahim|"
              "Meryem|"
              "Yusuf|Şerife|Ömer|Özlem|Çağla|Gökhan|Ümit|Işıl|Uğur|Iğdır|Yağmur|Barış",
     .family =
         "Yılmaz|Kaya|Demir|Şahin|Çelik|Yıldız|Yıldırım|Öztürk|Aydın|Özdemir|Arslan|Doğan|Kılıç|"
         "Aslan|Çetin|Kara|Koç|Kurt|Özkan|Şimşek|İnönü|Ağaoğlu|Işık|Güneş",
     .countries = "tr|de|cy|az",
     .weight = 45,
     .flags = CULTURE_MIDDLE},
    {.given =
         "გიორგი=giorgi|ნინო=nino|დავით=davit|მარიამ=mariam|ლევან=levan|თამარ=tamar|ირაკლი=irakli|"
         "ნათია=natia|ზურაბ=zurab|ქეთევან=ketevan|შოთა=shota|ეკატერინე=ekaterine",
     .family = "ბერიძე=beridze|კაპანაძე=kapanadze|გელაშვილი=gelashvili|მაისურაძე=maisuradze|"
               "გიორგაძე=giorgadze|ლომიძე=lomidze|წიკლაური=tsiklauri|ბოლქვაძე=bolkvadze|"
               "ხუციშვილი=khutsishvili|ჩხეიძე=chkheidze",
     .countries = "ge",
     .weight = 4,
     .flags = 0},
    {.given = "Արմեն=armen|Անի=ani|Դավիթ=davit|Մարիամ=mariam|Տիգրան=tigran|Նարե=nare|Հայկ=hayk|"
              "Գայանե=gayane|Վարդան=vardan|Լուսինե=lusine|Գևորգ=gevorg|Սիրանուշ=siranush",
     .family = "Գրիգորյան=grigoryan|Հարությունյան=harutyunyan|Սարգսյան=sargsyan|Հովհաննիսյան="
               "hovhannisyan|"
               "Խաչատրյան=khachatryan|Հակոբյան=hakobyan|Վարդանյան=vardanyan|Պետրոսյան=petrosyan|"
               "Ղազարյան=ghazaryan|Մկրտչյան=mkrtchyan",
     .countries = "am|ru|us",
     .weight = 4,
     .flags = 0},
};

const struct culture_table NAMES_EAST_EUROPE = {CULTURES, sizeof CULTURES / sizeof *CULTURES};
